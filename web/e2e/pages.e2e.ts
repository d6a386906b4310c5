import { expectAccessible } from "./accessible";
import { expect, open, test } from "./demo";

/** Every page, and a heading that is there when it has its answers. */
const PAGES = [
  ["/", "Active devices per day"],
  ["/versions", "Devices by version over time"],
  ["/platforms", "On the latest release, by platform"],
  ["/audience", "Devices that came back"],
  ["/live", "Last checks"],
  ["/attention", "What needs a look"],
] as const;

for (const [path, heading] of PAGES) {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [screen, width] of [["a wide screen", 1440], ["a phone", 360]] as const) {
      test(`${path} keeps WCAG 2.1 AA in the ${colorScheme} theme on ${screen}`, async ({ dashboard: page }) => {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        await open(page, path);
        await expect(page.getByRole("heading", { level: 2, name: heading, exact: true })).toBeVisible();
        await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
        await expectAccessible(page);
      });
    }
  }
}

test("what every number means is said beside it", async ({ dashboard: page }) => {
  for (const [path, heading] of PAGES) {
    await open(page, `${path}?apps=atlas`);
    await expect(page.getByRole("heading", { level: 2, name: heading, exact: true })).toBeVisible();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    const definition = page.getByRole("button", { name: /^What is counted: / });
    await expect(page.locator("dl > div").filter({ hasNot: definition })).toHaveCount(0);
    // The head of what needs a look counts nothing: each finding has its rule.
    const heads = page.locator("section > header").filter({ hasNotText: "What needs a look" });
    await expect(heads.filter({ hasNot: definition })).toHaveCount(0);
    expect(await heads.count()).toBeGreaterThan(1);
  }
});

test("the pages are reached by the navigation, and the view goes along", async ({ dashboard: page }) => {
  await open(page, "/?range=7d");
  for (const title of ["Versions", "Platforms", "Audience", "Live", "Attention", "Overview"]) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: title }).click();
    await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
    await expect(page).toHaveURL(/\?range=7d$/);
  }
});

test("one app is chosen by one press", async ({ dashboard: page }) => {
  await open(page, "/versions");
  await page.getByRole("group", { name: "App" }).getByRole("button", { name: "atlas" }).click();
  await expect(page).toHaveURL("/versions?apps=atlas");
});
