import { expect, test } from "@playwright/test";

import { Server } from "../test/server";
import { expectAccessible } from "./accessible";

test("from the setup token to the first check, by the dashboard alone", async ({ page, request }) => {
  const server = await Server.start({ HEADCOUNT_TELEMETRY: "true" });
  try {
    await page.goto(`${server.url}/set-up`);
    await page.getByLabel("Setup token").fill(server.secret);
    await page.getByLabel("Username").fill("ada");
    await page.getByRole("textbox", { name: "Password" }).fill("a long walk along the river");
    await page.getByRole("button", { name: "Create the administrator" }).click();
    await expect(page.getByRole("heading", { name: "Send the first check" })).toBeVisible();
    await expectAccessible(page);
    await page.getByRole("main").getByRole("link", { name: "catalog" }).click();

    const dialog = page.getByRole("dialog");
    for (const [kind, name] of [["app", "lamp"], ["channel", "stable"], ["platform", "linux"], ["architecture", "amd64"]] as const) {
      await page.getByRole("button", { name: `New ${kind}` }).click();
      await dialog.getByLabel("Name").fill(name);
      await dialog.getByRole("button", { name: "Create" }).click();
      await expect(dialog).toHaveCount(0);
    }
    await page.getByRole("link", { name: "lamp" }).click();
    await page.getByRole("button", { name: "New release" }).click();
    await dialog.getByLabel("Version").fill("1.1.0");
    await dialog.getByRole("button", { name: "Add a file" }).click();
    const file = dialog.getByRole("group", { name: "File 1" });
    await file.getByLabel("Package").fill(".AppImage");
    await file.getByLabel("Link").fill("https://downloads.example.com/lamp-1.1.0.AppImage");
    await dialog.getByRole("button", { name: "Create" }).click();
    await expect(page.getByRole("row", { name: /^1\.1\.0 stable published/ })).toBeVisible();

    await page.getByRole("link", { name: "Overview" }).click();
    await expect(page.getByText("Waiting for the first check.")).toBeVisible();
    // What the page says to paste.
    const snippet = await page.getByRole("tabpanel", { name: "curl" }).locator("pre, code").first().innerText();
    const url = /'(http[^']+)'/.exec(snippet)?.[1] ?? "";
    const answer = await request.get(url, { headers: { "X-Device-ID": "6f1c7a0e-7d0c-4a51-9d3c-1f2b5a1d9c11" } });
    expect(answer.headers()["headcount"]).toBe("recorded");
    expect(await answer.json()).toMatchObject({ update_available: true });
    await expect(page.getByText("It works. 1 check of 1 device today.")).toBeVisible();
    await page.getByRole("button", { name: "Show the overview" }).click();
    await expect(page.locator("dl > div", { hasText: "Active devices" }).locator("dd").first()).toHaveText("1");
    await expect(page.locator("dl > div", { hasText: "Outdated" }).locator("dd").first()).toHaveText("100.0%");
  } finally {
    await server.stop();
  }
});

test("a server that counts nothing says so once, and how to turn it on", async ({ page }) => {
  const server = await Server.start({ HEADCOUNT_TELEMETRY: "false" });
  try {
    await page.goto(`${server.url}/set-up`);
    await page.getByLabel("Setup token").fill(server.secret);
    await page.getByLabel("Username").fill("ada");
    await page.getByRole("textbox", { name: "Password" }).fill("a long walk along the river");
    await page.getByRole("button", { name: "Create the administrator" }).click();
    for (const name of ["Overview", "Versions", "Platforms", "Audience", "Live", "Attention"]) {
      await page.getByRole("navigation").getByRole("link", { name }).click();
      await expect(page.getByRole("alert")).toHaveText(/^This server counts nothing.*ENABLE_TELEMETRY=true.*Try again$/);
      await expectAccessible(page);
    }
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("alert")).toContainText("This server counts nothing");
    await page.getByRole("link", { name: "Catalog" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Catalog" })).toBeVisible();
  } finally {
    await server.stop();
  }
});
