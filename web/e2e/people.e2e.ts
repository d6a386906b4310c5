import { expectAccessible } from "./accessible";
import { expect, open, signIn, test } from "./demo";

test("a team user is offered only what the administrator granted", async ({ dashboard: page, browser }) => {
  await open(page, "/people");
  await page.getByRole("button", { name: "New user" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Username").fill("Robin");
  await dialog.getByRole("textbox", { name: "Password" }).fill("a quiet evening in June");
  await dialog.getByRole("combobox", { name: "Apps and their releases that the user sees and filters by" }).click();
  await page.getByRole("option", { name: "relay" }).click();
  await dialog.getByLabel("Register releases").check();
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("row", { name: /^robin Apps: 1, upload/ })).toBeVisible();

  const theirs = await (await browser.newContext()).newPage();
  await theirs.goto(new URL("/catalog", page.url()).href);
  await signIn(theirs, "a quiet evening in June", "robin");
  await expect(theirs.getByRole("link", { name: "relay" })).toBeVisible();
  await expect(theirs.getByRole("link", { name: "atlas" })).toHaveCount(0);
  await expect(theirs.getByRole("button", { name: "New app" })).toHaveCount(0);
  await theirs.getByRole("link", { name: "relay" }).click();
  await expect(theirs.getByRole("button", { name: "New release" })).toBeVisible();
  await theirs.getByRole("link", { name: "Overview" }).click();
  await theirs.getByRole("button", { name: "Filters" }).click();
  await theirs.getByRole("combobox", { name: "Apps" }).click();
  await expect(theirs.getByRole("option")).toHaveText(["relay"]);
  await theirs.getByRole("link", { name: "People" }).click();
  await expect(theirs.getByText("Only the administrator sees this")).toBeVisible();

  await page.getByRole("button", { name: "Delete the user robin" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("row", { name: /robin/ })).toHaveCount(0);
  await theirs.getByRole("link", { name: "Overview" }).click();
  await theirs.reload();
  await expect(theirs.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await theirs.context().close();
});

test("a token is shown once, reads the numbers, and is refused once it is revoked", async ({ dashboard: page, request }) => {
  await open(page, "/people");
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("weekly mail");
  await dialog.getByLabel("Read the numbers").check();
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Create" }).click();
  const shown = page.getByRole("dialog", { name: "The token was created" });
  const token = await shown.getByRole("code").or(shown.locator("pre")).first().innerText();
  await shown.getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("row", { name: /^weekly mail .* telemetry:read all never never/ })).toBeVisible();

  const headers = { Authorization: `Bearer ${token}` };
  expect((await request.get("/telemetry", { headers })).status()).toBe(200);
  await page.getByRole("button", { name: "Revoke the token weekly mail" }).click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByRole("row", { name: /weekly mail/ })).toHaveCount(0);
  expect((await request.get("/telemetry", { headers })).status()).toBe(401);
});

test("a team user is signed out everywhere, and the audit log says by whom", async ({ dashboard: page, browser }) => {
  await open(page, "/people");
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "New user" }).click();
  await dialog.getByLabel("Username").fill("kim");
  await dialog.getByRole("textbox", { name: "Password" }).fill("a loud morning in March");
  await dialog.getByRole("button", { name: "Create" }).click();
  const theirs = await (await browser.newContext()).newPage();
  await theirs.goto(new URL("/", page.url()).href);
  await signIn(theirs, "a loud morning in March", "kim");
  await expect(theirs.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();

  await page.getByRole("button", { name: "Sessions of kim" }).click();
  await expect(dialog.getByRole("row", { name: / browser Mozilla/ })).toHaveCount(1);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Sign kim out everywhere" }).click();
  await page.getByRole("dialog", { name: "Sign kim out everywhere" }).getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(dialog.getByText("Signed in nowhere.")).toBeVisible();
  await theirs.reload();
  await expect(theirs.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await theirs.context().close();

  await dialog.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Delete the user kim" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("row", { name: /^kim / })).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("row", { name: /demo browser delete user kim$/ })).toHaveCount(1);
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [name, width] of [["a wide screen", 1440], ["a phone", 360]] as const) {
    test(`the people keep WCAG 2.1 AA in the ${colorScheme} theme on ${name}`, async ({ dashboard: page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await open(page, "/people");
      await expect(page.getByRole("heading", { name: "API tokens" })).toBeVisible();
      await expectAccessible(page);
    });
  }
}
