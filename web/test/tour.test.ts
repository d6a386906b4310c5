import { afterAll, beforeAll, expect, test } from "vitest";

import { type Api, connect, jsonPart } from "../src/api/client";
import { Server } from "./server";

let server: Server;

beforeAll(async () => {
  server = await Server.start({ ENABLE_TELEMETRY: "true" });
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

/** The UTC date at which the server answered. */
function dayOf(response: Response): string {
  return new Date(response.headers.get("Date") ?? "").toISOString().slice(0, 10);
}

async function administrator(): Promise<Api> {
  const setup = { token: server.secret, username: "acme", password: "correct horse battery" };
  const { data } = await connect(server.url).POST("/setup", { body: setup });
  return connect(server.url, data?.token);
}

const id = expect.stringMatching(/^[0-9a-f]{24}$/);

test("from the first administrator to the first report", async () => {
  const api = await administrator();

  const app = await api.POST("/app/create", { body: { data: { app: "desk" } }, bodySerializer: jsonPart });
  expect(app.data).toEqual({ "createAppResult.Created": id });
  const channel = await api.POST("/channel/create", { body: { channel: "stable" } });
  expect(channel.data).toEqual({ "createChannelResult.Created": id });
  const platform = await api.POST("/platform/create", { body: { platform: "linux" } });
  expect(platform.data).toEqual({ "createPlatformResult.Created": id });
  const arch = await api.POST("/arch/create", { body: { arch: "amd64" } });
  expect(arch.data).toEqual({ "createArchResult.Created": id });
  const link = "https://downloads.example.com/desk-2.0.0.AppImage";
  const release = await api.POST("/release/create", {
    body: {
      app_name: "desk",
      version: "2.0.0",
      channel: "stable",
      publish: true,
      changelog: "Faster.",
      artifacts: [{ platform: "linux", arch: "amd64", package: ".AppImage", link }],
    },
  });
  expect(release.response.status).toBe(201);
  expect(release.data).toEqual({ id });

  const check = await connect(server.url).GET("/checkVersion", {
    params: {
      query: { app_name: "desk", version: "1.0.0", channel: "stable", platform: "linux", arch: "x64" },
      header: { "X-Device-ID": "3f0a4e52-7f0b-4b8e-9f0e-2d6a1c5b7e90" },
    },
  });
  expect(check.response.headers.get("Headcount")).toBe("recorded");
  expect(check.data).toEqual({
    update_available: true,
    critical: false,
    update_url_AppImage: link,
    changelog: "Faster.\n",
  });

  const day = dayOf(check.response);
  const report = await api.GET("/telemetry", { params: { query: { apps: "desk", date: day } } });
  expect(report.data).toEqual({
    admin: "acme",
    date: day,
    date_range: [day],
    summary: {
      total_requests: 1,
      unique_clients: 1,
      clients_using_latest_version: 0,
      clients_outdated: 1,
      total_active_apps: 1,
    },
    versions: { known_versions: ["1.0.0"], used_versions_count: 1, usage: [{ version: "1.0.0", client_count: 1 }] },
    platforms: [{ platform: "linux", client_count: 1 }],
    architectures: [{ arch: "amd64", client_count: 1 }],
    channels: [{ channel: "stable", client_count: 1 }],
    daily_stats: [
      { date: day, total_requests: 1, unique_clients: 1, clients_using_latest_version: 0, clients_outdated: 1 },
    ],
  });
});

test("a refusal is a value, not an exception", async () => {
  const { data, error, response } = await connect(server.url, "nobody's").GET("/app/list");
  expect(response.status).toBe(401);
  expect(data).toBeUndefined();
  expect(error).toEqual({ error: "invalid or expired token", code: "unauthenticated" });
});
