import { expectAccessible } from "./accessible";
import { expect, open, test } from "./demo";

test("a new app gets a release, a check is told about it, and is counted", async ({ dashboard: page, request }) => {
  await open(page, "/catalog");
  await page.getByRole("button", { name: "New app" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Desk lamp");
  await dialog.getByLabel("Description").fill("Lights the desk.");
  await dialog.getByRole("button", { name: "Create" }).click();
  await page.getByRole("link", { name: "Desk lamp" }).click();
  await expect(page.getByText("There is no release yet.")).toBeVisible();

  await page.getByRole("button", { name: "New release" }).click();
  await dialog.getByLabel("Version").fill("1.10.0");
  await dialog.getByRole("button", { name: "Add a file" }).click();
  const file = dialog.getByRole("group", { name: "File 1" });
  await file.getByLabel("Package").fill(".exe");
  await file.getByLabel("Link").fill("https://downloads.example.com/lamp-1.10.0.exe");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("row", { name: /^1\.10\.0 stable published 100% 1 / })).toBeVisible();

  const check = new URLSearchParams({ app_name: "Desk lamp", version: "1.9.0", channel: "stable", platform: "windows", arch: "amd64" });
  const answer = await request.get(`/checkVersion?${check}`, { headers: { "X-Device-ID": "lamp-on-the-first-desk" } });
  expect(answer.headers()["headcount"]).toBe("recorded");
  expect((await answer.json()).update_available).toBe(true);
  await open(page, "/?range=today&apps=Desk%20lamp");
  await expect(page.locator("dl > div", { hasText: "Active devices" }).locator("dd").first()).toHaveText("1");

  await open(page, "/catalog/Desk%20lamp");
  await page.getByRole("button", { name: "Withdraw 1.10.0 (stable)" }).click();
  await expect(page.getByRole("row", { name: /^1\.10\.0 stable draft/ })).toBeVisible();
  const later = await request.get(`/checkVersion?${check}`, { headers: { "X-Device-ID": "lamp-on-the-first-desk" } });
  expect(later.status()).toBe(400);
  expect(await later.json()).toEqual({ error: "no matching documents found for app_name: Desk lamp", code: "invalid" });

  await page.getByRole("button", { name: "Delete 1.10.0 (stable)" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("There is no release yet.")).toBeVisible();
  await page.getByRole("link", { name: "All apps" }).click();
  await page.getByRole("button", { name: "Delete the app Desk lamp" }).click();
  await dialog.getByLabel("Type Desk lamp to go on").fill("Desk lamp");
  await dialog.getByLabel("Erase what was counted for it.").check();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("link", { name: "Desk lamp" })).toHaveCount(0);
});

test("what the server refuses stands at its field, and nothing typed is lost", async ({ dashboard: page, faults }) => {
  await open(page, "/catalog");
  await page.getByRole("button", { name: "New channel" }).click();
  const name = page.getByRole("dialog").getByLabel("Name");
  await name.fill("early access");
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  await expect(name).toHaveAccessibleDescription(/Accepted: /);
  await expect(name).toHaveValue("early access");
  expect(faults.splice(0)).toEqual([expect.stringContaining("status of 400")]);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a platform is renamed and gets an updater", async ({ dashboard: page }) => {
  await open(page, "/catalog");
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "New platform" }).click();
  await dialog.getByLabel("Name").fill("haiku");
  await dialog.getByRole("button", { name: "Create" }).click();
  await page.getByRole("button", { name: "Edit the platform haiku" }).click();
  await dialog.getByLabel("Name").fill("haiku-os");
  await dialog.getByRole("combobox", { name: "Updaters" }).fill("tauri");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("row", { name: /^haiku-os manual \(default\), tauri/ })).toBeVisible();
  await page.getByRole("button", { name: "Delete the platform haiku-os" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("row", { name: /haiku/ })).toHaveCount(0);
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [name, width] of [["a wide screen", 1440], ["a phone", 360]] as const) {
    test(`the catalog keeps WCAG 2.1 AA in the ${colorScheme} theme on ${name}`, async ({ dashboard: page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      for (const address of ["/catalog", "/catalog/atlas"]) {
        await open(page, address);
        await expect(page.getByRole("table").first()).toBeVisible();
        await expectAccessible(page);
      }
    });
  }
}
