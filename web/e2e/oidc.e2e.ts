import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

import { expect, test } from "@playwright/test";

import { Server } from "../test/server";
import { expectAccessible } from "./accessible";

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  await new Promise((closed) => listener.close(closed));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A provider that sends browsers back to `callback`. */
async function startProvider(port: number, callback: string): Promise<ChildProcess> {
  const provider = spawn(process.execPath, ["e2e/provider.mjs", String(port), callback], { stdio: ["ignore", "pipe", "ignore"] });
  await once(provider.stdout, "data");
  return provider;
}

test("who has a role signs in through the provider, and is where they wanted to be", async ({ page }) => {
  // Two names of this machine are two sites, as the two are in earnest.
  const [port, other] = [await freePort(), await freePort()];
  const [url, issuer] = [`http://localhost:${port}`, `http://127.0.0.1:${other}`];
  const provider = await startProvider(other, `${url}/session/oidc/callback`);
  const server = await Server.start({
    HEADCOUNT_LISTEN: `127.0.0.1:${port}`,
    HEADCOUNT_PUBLIC_URL: url,
    HEADCOUNT_OIDC_ISSUER: issuer,
    HEADCOUNT_OIDC_CLIENT_ID: "headcount",
    HEADCOUNT_OIDC_CLIENT_SECRET: "a secret of the two",
    HEADCOUNT_OIDC_NAME: "the house",
  });
  try {
    await page.goto(`${url}/people`);
    await page.getByRole("link", { name: "Sign in with the house" }).click();
    await page.getByPlaceholder("Enter any login").fill("ada");
    await page.getByPlaceholder("and password").fill("any");
    await page.getByRole("button", { name: "Sign-in" }).click();
    await page.getByRole("button", { name: "Continue" }).click();
    await expect(page.getByText("gives you no role here")).toBeVisible();
    await expectAccessible(page);

    await fetch(`${issuer}/roles?of=ada&roles=headcount-administrator`, { method: "POST" });
    await page.goto(`${url}/people`);
    await page.getByRole("link", { name: "Sign in with the house" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "People" })).toBeVisible();
    await expect(page.getByRole("row", { name: /ada provider create user ada$/ })).toBeVisible();
  } finally {
    provider.kill();
    await server.stop();
  }
});
