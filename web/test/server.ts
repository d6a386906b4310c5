import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../../target/debug/headcount", import.meta.url));
const program = process.env["HEADCOUNT_BIN"] ?? built;

/** How what it prints says the secret that lets one in. */
const SETUP_TOKEN = /"token":"([^"]+)"/;
const PASSWORD = /^password: (\S+)/;

/** The real server on a free loopback port, with a folder of its own. */
export class Server {
  private constructor(
    /** Where it listens. */
    readonly url: string,
    /** What creates the first administrator; for a demo the password of the user `demo`. */
    readonly secret: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** A new server, without any user. */
  static async start(settings: Record<string, string> = {}): Promise<Server> {
    return Server.run(["serve"], { HEADCOUNT_LISTEN: "127.0.0.1:0", ...settings }, SETUP_TOKEN);
  }

  /** A server with a made-up fleet, the same each time. */
  static async demo(): Promise<Server> {
    return Server.run(["demo", "--devices", "2000", "--listen", "127.0.0.1:0"], {}, PASSWORD);
  }

  private static async run(words: string[], settings: Record<string, string>, said: RegExp): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), "headcount-web-"));
    // No variable of this process and no `.env` decides what is tested.
    // However slow the disk is, it is known what became of a check.
    const env = { HEADCOUNT_DATA_DIR: folder, HEADCOUNT_COMMIT_WAIT_MS: "10000", ...settings };
    const options = words[0] === "demo" ? ["--data-dir", join(folder, "demo")] : [];
    const child = spawn(program, [...words, ...options], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    const logged: string[] = [];
    child.stderr.on("data", (chunk) => logged.push(String(chunk)));
    let url: string | undefined;
    try {
      for await (const line of createInterface(child.stdout)) {
        url ??= /http:\/\/[0-9.:]+/.exec(line)?.[0];
        const secret = said.exec(line)?.[1];
        if (url !== undefined && secret !== undefined) {
          // Whatever it says from now on is nobody's, and must not fill the pipe.
          child.stdout.resume();
          return new Server(url, secret, child, folder);
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
