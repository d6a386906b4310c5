import { expectAccessible } from "./accessible";
import { expect, open, test } from "./demo";

test("settings hold at once, and are shown as they are after a reload", async ({ dashboard: page, request }) => {
  const check = new URLSearchParams({ app_name: "pulse", version: "7.30", channel: "stable", platform: "android", arch: "arm64" });
  const outcome = async (headers: Record<string, string>) =>
    (await request.get(`/checkVersion?${check}`, { headers })).headers()["headcount"];

  await open(page, "/preferences");
  const strict = page.getByLabel("Refuse device ids that look personal");
  await strict.check();
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(() => outcome({ "X-Device-ID": "somebody-192.168.0.17" })).toBe("recorded");
  await expect.poll(() => outcome({ "X-Device-ID": "192.168.0.17" })).toBe("skipped; reason=bad-device");
  await page.reload();
  await open(page, "/preferences");
  await expect(strict).toBeChecked();
  await strict.uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(() => outcome({ "X-Device-ID": "192.168.0.17" })).toBe("recorded");
});

test("an app is no longer counted, and then again", async ({ dashboard: page, request }) => {
  const check = new URLSearchParams({ app_name: "relay", version: "1.0.0", channel: "stable", platform: "linux", arch: "amd64" });
  const outcome = async () =>
    (await request.get(`/checkVersion?${check}`, { headers: { "X-Device-ID": "a-relay-on-a-hill" } })).headers()["headcount"];
  await open(page, "/preferences");
  const counted = page.getByLabel("Count the checks of relay");
  await counted.uncheck();
  await expect.poll(outcome).toBe("skipped; reason=disabled");
  await counted.check();
  await expect.poll(outcome).toBe("recorded");
});

test("a device is found by its id, and erased for good", async ({ dashboard: page, request }) => {
  const check = new URLSearchParams({ app_name: "pulse", version: "7.30", channel: "stable", platform: "android", arch: "arm64" });
  const answer = await request.get(`/checkVersion?${check}`, { headers: { "X-Device-ID": "a-phone-to-be-forgotten" } });
  expect(answer.headers()["headcount"]).toBe("recorded");
  await open(page, "/preferences");
  const panel = page.getByRole("region", { name: "One device" });
  await panel.getByLabel("Device id").fill("a-phone-to-be-forgotten");
  await expect(async () => {
    await panel.getByRole("button", { name: "Find" }).click();
    await expect(panel.getByRole("row", { name: / pulse 7\.30 \w+ stable android arm64$/ })).toBeVisible({ timeout: 1000 });
  }).toPass();
  await expectAccessible(page);
  await panel.getByRole("button", { name: "Erase the device a-phone-to-be-forgotten" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Erase this device" }).click();
  await expect(panel.getByText(/^It was erased on /)).toBeVisible();
  await panel.getByRole("button", { name: "Find" }).click();
  await expect(panel.getByText("Nothing is known of this device.")).toBeVisible();
});

test("the own sessions are listed, this one among them", async ({ dashboard: page }) => {
  await open(page, "/preferences");
  await expect(page.getByRole("row", { name: / browser, this one Mozilla/ })).toHaveCount(1);
});

test("a password that is not typed twice the same changes nothing", async ({ dashboard: page }) => {
  await open(page, "/preferences");
  const again = page.getByLabel("Once more");
  await page.getByRole("textbox", { name: "New password" }).fill("a long walk along the river");
  await again.fill("a short walk");
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("The two are not equal.")).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [name, width] of [["a wide screen", 1440], ["a phone", 360]] as const) {
    test(`the settings keep WCAG 2.1 AA in the ${colorScheme} theme on ${name}`, async ({ dashboard: page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await open(page, "/preferences");
      await expect(page.getByRole("heading", { name: "Counted apps" })).toBeVisible();
      await expectAccessible(page);
    });
  }
}
