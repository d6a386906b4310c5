import { expect, test } from "vitest";

import { SNIPPETS } from "./snippets";

const PLACE = { server: "https://u.example.com", owner: "a+b", app: "my app", channel: "stable", platform: "darwin", arch: "arm64" };

test("every snippet asks this server about this app, and sends an id", () => {
  for (const { title, text } of SNIPPETS) {
    const snippet = text(PLACE);
    expect(snippet, title).toMatch(/https:\/\/u\.example\.com\/(checkVersion|telemetry\/beacon)\?version=/);
    expect(snippet, title).toContain("owner=a%2Bb&app_name=my%20app&channel=stable&platform=darwin&arch=arm64");
    expect(snippet, title).toContain("X-Device-ID");
  }
});
