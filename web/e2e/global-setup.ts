import { Server } from "../test/server";

/** Starts one demo for all tests, and gives what stops it. */
export default async function start(): Promise<() => Promise<void>> {
  const demo = await Server.demo();
  process.env["DEMO_URL"] = demo.url;
  process.env["DEMO_PASSWORD"] = demo.secret;
  return async () => {
    await demo.stop();
  };
}
