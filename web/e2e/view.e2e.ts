import { expect, open, test } from "./demo";

test("a filter is chosen in the menu, and its address shows another window the same", async ({ dashboard: page, context }) => {
  await open(page, "/");
  await page.getByRole("button", { name: "Filters" }).click();
  await page.getByRole("combobox", { name: "Platforms" }).or(page.getByLabel("Platforms", { exact: true })).first().click();
  await page.getByRole("option", { name: "linux" }).click();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await expect(page).toHaveURL(/\?platforms=linux$/);
  await expect(page.getByRole("button", { name: "Filters (1)" })).toBeVisible();
  const platforms = page.getByRole("region", { name: "Devices by platform" });
  await expect(platforms.getByRole("button", { name: /Filter by this platform/ }).first()).toContainText("linux");

  const other = await context.newPage();
  await other.goto(page.url());
  await expect(other.getByRole("button", { name: "Take the filter away: Platform linux" })).toBeVisible();
  await expect(other.getByRole("button", { name: "Filters (1)" })).toBeVisible();
});

test("days of one's own are chosen, and stand in the address", async ({ dashboard: page }) => {
  await open(page, "/versions");
  await page.getByRole("button", { name: "30 days" }).click();
  const dialog = page.getByRole("dialog");
  const [from, to] = [dialog.getByLabel("From", { exact: true }), dialog.getByLabel("To", { exact: true })];
  const last = await to.inputValue();
  await from.fill(last);
  await page.getByRole("button", { name: "Show these days" }).click();
  await expect(page).toHaveURL(`/versions?from=${last}&to=${last}`);
});

test("all of it works without a pointer", async ({ dashboard: page }) => {
  await open(page, "/");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the page" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const range = page.locator("button[aria-haspopup=dialog]", { hasText: "30 days" });
  await expect(range).toBeFocused();
  await page.keyboard.press("Enter");
  // Opening takes the focus along; what closes it listens there.
  await expect(page.getByRole("dialog").locator(":focus")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(range).toBeFocused();
});

test("a definition is read on focus", async ({ dashboard: page }) => {
  await open(page, "/versions");
  const button = page.getByRole("button", { name: "What is counted: Devices by version", exact: true });
  await button.focus();
  await expect(button).toHaveAccessibleDescription(/^Distinct devices/);
});
