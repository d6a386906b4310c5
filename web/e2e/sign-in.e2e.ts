import { expectAccessible } from "./accessible";
import { expect, open, signIn, test } from "./demo";

test("who is not signed in comes to the sign-in page, and then to where they wanted", async ({ dashboard: page }) => {
  await page.goto("/?range=7d&platforms=linux");
  await expect(page).toHaveTitle("Sign in · Headcount");
  await expectAccessible(page);
  await signIn(page);
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  await expect(page).toHaveURL(/\/\?range=7d&platforms=linux$/);
});

test("a wrong password is refused, and the form stays", async ({ dashboard: page }) => {
  await page.goto("/sign-in");
  await signIn(page, "not the password");
  await expect(page.getByRole("alert")).toContainText("invalid username or password");
  await expect(page.getByRole("textbox", { name: "Username" })).toHaveValue("demo");
});

test("a link cannot send who signs in to another server", async ({ dashboard: page }) => {
  await page.goto("/sign-in?next=//elsewhere.example.com/");
  await signIn(page);
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
});

test("a session survives that the page is loaded anew, and no script can read it", async ({ dashboard: page }) => {
  await open(page, "/versions");
  await page.reload();
  await expect(page.getByRole("heading", { level: 1, name: "Versions" })).toBeVisible();
  const readable = await page.evaluate(() => JSON.stringify([document.cookie, localStorage, sessionStorage]));
  expect(readable).not.toContain("hcs_");
});

test("who signs out is out", async ({ dashboard: page }) => {
  await open(page, "/");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.goto("/versions");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("a wrong setup token is refused", async ({ dashboard: page }) => {
  await page.goto("/set-up");
  await expectAccessible(page);
  await page.getByLabel("Setup token").fill("hcx_wrong");
  await page.getByLabel("Username").fill("somebody");
  await page.getByRole("textbox", { name: "Password" }).fill("correct horse battery");
  await page.getByRole("button", { name: "Create the administrator" }).click();
  await expect(page.getByRole("alert")).toContainText("invalid or expired setup token");
});
