import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../../target/debug/headcount", import.meta.url));
const program = process.env["HEADCOUNT_BIN"] ?? built;

/** The real server on a free loopback port, with a folder of its own. */
export class Server {
  private constructor(
    /** Where it listens. */
    readonly url: string,
    /** What creates the first administrator. */
    readonly setupToken: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(settings: Record<string, string> = {}): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), "headcount-web-"));
    // No variable of this process and no `.env` decides what is tested.
    const env = { HEADCOUNT_DATA_DIR: folder, HEADCOUNT_LISTEN: "127.0.0.1:0", ...settings };
    const child = spawn(program, ["serve"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    const logged: string[] = [];
    child.stderr.on("data", (chunk) => logged.push(String(chunk)));
    let url: string | undefined;
    try {
      for await (const line of createInterface(child.stdout)) {
        url ??= /http:\/\/[0-9.:]+/.exec(line)?.[0];
        const token = /"token":"([^"]+)"/.exec(line)?.[1];
        if (url !== undefined && token !== undefined) {
          return new Server(url, token, child, folder);
        }
      }
    } catch (error) {
      throw new Error(`${program} cannot be started; cargo build makes it`, { cause: error });
    }
    await rm(folder, { recursive: true, force: true });
    throw new Error(`the server ended before it served:\n${logged.join("")}`);
  }

  /** Stops it as an operator does; gives its exit code. */
  async stop(): Promise<number | null> {
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    const [code] = (await ended) as [number | null];
    await rm(this.folder, { recursive: true, force: true });
    return code;
  }
}
