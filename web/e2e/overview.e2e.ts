import { expect, open, test } from "./demo";

test("a click on a bar filters, the address has the filter, and it can be taken away", async ({ dashboard: page }) => {
  await open(page, "/");
  const figure = page.locator("dl > div", { hasText: "Active devices" }).locator("dd").first();
  const all = await figure.innerText();
  expect(all).toMatch(/^[1-9],?\d{2,}$/);
  await page.getByRole("button", { name: /^windows: .* Filter by this platform$/ }).click();
  await expect(page).toHaveURL(/\?platforms=windows$/);
  await expect(figure).not.toHaveText(all);
  await page.getByRole("button", { name: "Take the filter away: Platform windows" }).click();
  await expect(figure).toHaveText(all);
  await expect(page).toHaveURL(/\/$/);
});

test("every chart is a table and a file, too", async ({ dashboard: page }) => {
  await open(page, "/?range=7d");
  await page.getByRole("button", { name: "Show as table: Active devices per day" }).click();
  await expect(page.getByRole("table", { name: "Active devices per day" }).getByRole("row")).toHaveCount(8);
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download as CSV: Active devices per day" }).click();
  const file = await saving;
  expect(file.suggestedFilename()).toBe("active-devices-per-day.csv");
});

test("a chart is read by the keyboard", async ({ dashboard: page }) => {
  await open(page, "/");
  const chart = page.getByRole("group", { name: /^Active devices per day/ });
  await chart.focus();
  await page.keyboard.press("End");
  await expect(chart.getByRole("status")).toContainText("(UTC)");
  await page.keyboard.press("ArrowLeft");
  await expect(chart.getByRole("status")).toContainText("Active");
});
