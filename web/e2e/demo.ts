import { test as base, expect, type Page } from "@playwright/test";

/** What every test has: a page of the demo's dashboard, on which nothing may go wrong. */
export const test = base.extend<{ dashboard: Page; faults: string[] }>({
  baseURL: async ({}, use) => use(required("DEMO_URL")),
  /** What went wrong so far; a test that provokes something takes it out. */
  faults: async ({}, use) => use([]),
  dashboard: async ({ page, faults }, use) => {
    page.on("console", (message) => {
      // A refused script or style is such an error, too. Who is not signed in yet is told so by a 401.
      if (message.type() === "error" && !message.text().includes("status of 401")) faults.push(message.text());
    });
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("request", (request) => {
      if (!request.url().startsWith(required("DEMO_URL")) && !/^(data|blob):/.test(request.url())) {
        faults.push(`asks elsewhere: ${request.url()}`);
      }
    });
    await use(page);
    expect(faults).toEqual([]);
  },
});

export { expect };

/** Signs the demo's administrator in, from wherever the page is. */
export async function signIn(page: Page, password = required("DEMO_PASSWORD"), username = "demo"): Promise<void> {
  await page.getByLabel("Username").fill(username);
  await page.getByRole("textbox", { name: "Password" }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Opens an address of the dashboard, signed in. */
export async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  const shell = page.locator("#page");
  await page.getByRole("button", { name: "Sign in" }).or(shell).waitFor();
  if (new URL(page.url()).pathname === "/sign-in") await signIn(page);
  await expect(shell.getByRole("heading", { level: 1 })).toBeVisible();
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run npm run e2e`);
  return value;
}
