/**
 * Starts a server that outlives the call, and never outlives this process.
 *
 * A small shell script stands between: it starts the server, waits for its end, and ends it (and removes its folder)
 * when this process is gone, even by SIGKILL. A test file therefore needs no clean-up of its own for a server that
 * it shares, and no child process counts as a resource that a single test has leaked.
 *
 * @module
 */

import { join } from "node:path";
import { exists, ignoreNotFound } from "./cache.ts";
import { lastLines, runOrThrow } from "./command.ts";
import { waitUntil } from "./wait.ts";

/** Arguments: the owner's process id, the folder, the signal that ends the server, then the server's command. */
const GUARD = `
owner=$1 folder=$2 signal=$3
shift 3
# The owner may belong to another user, whom kill -0 answers with "not permitted": it is alive.
alive() {
  case $(LC_ALL=C kill -0 "$1" 2>&1) in *[Nn]"o such process"*) return 1 ;; esac
}
"$@" </dev/null >>"$folder/server.log" 2>&1 &
server=$!
(while alive "$owner"; do sleep 1; done; kill -"$signal" "$server") &
watcher=$!
echo "$server" >"$folder/server.pid.new" && mv "$folder/server.pid.new" "$folder/server.pid"
wait "$server"
status=$?
kill "$watcher"
echo "$status" >"$folder/server.exit.new" && mv "$folder/server.exit.new" "$folder/server.exit"
alive "$owner" || rm -rf "$folder"
`;

/** What to start. */
export interface DaemonOptions {
  readonly command: readonly [string, ...string[]];
  /** An existing folder that the server's user may write; it gets the log, and is removed when this process dies. */
  readonly folder: string;
  /** What ends the server when this process dies. */
  readonly orphanSignal: "QUIT" | "KILL";
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
}

/** A running server. */
export class Daemon {
  readonly pid: number;
  readonly #folder: string;
  readonly #logStart: number;

  private constructor(pid: number, folder: string, logStart: number) {
    this.pid = pid;
    this.#folder = folder;
    this.#logStart = logStart;
  }

  /** Start a server; it may still fail at once, see {@link Daemon.exitCode}. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { command, folder, orphanSignal, ...rest } = options;
    const logStart = (await Deno.readFile(join(folder, "server.log")).catch(ignoreNotFound))?.length ?? 0;
    const guard = ["-c", GUARD, "guard", String(Deno.pid), folder, orphanSignal, ...command];
    await Promise.all(
      ["server.pid", "server.exit"].map((name) => Deno.remove(join(folder, name)).catch(ignoreNotFound)),
    );
    // `detached` is not enough: the child would stay a resource of whoever starts it.
    await runOrThrow("sh", ["-c", 'sh "$@" </dev/null >/dev/null 2>&1 &', "start", ...guard], {
      cwd: folder,
      ...rest,
      detached: true,
    });
    const pid = await waitUntil(() => readNumber(join(folder, "server.pid")), {
      what: `the start of ${command[0]}`,
    });
    return new Daemon(pid, folder, logStart);
  }

  /** Its exit code, 128 and the signal's number after a signal; undefined while it runs. */
  exitCode(): Promise<number | undefined> {
    return readNumber(join(this.#folder, "server.exit"));
  }

  /** What it printed since this start. */
  async log(): Promise<string> {
    // The process is known a moment before it has opened its log.
    const bytes = await Deno.readFile(join(this.#folder, "server.log")).catch(ignoreNotFound);
    return new TextDecoder().decode(bytes?.subarray(this.#logStart));
  }

  /** Send a signal, unless it has ended. */
  async signal(signal: Deno.Signal): Promise<void> {
    if ((await this.exitCode()) !== undefined) return;
    try {
      Deno.kill(this.pid, signal);
    } catch (error) {
      ignoreNotFound(error);
    }
  }

  /** Send a signal and wait until it has ended, at most a minute, after which it is killed. */
  async end(signal: Deno.Signal): Promise<void> {
    await this.signal(signal);
    const exited = (timeoutMs: number) =>
      waitUntil(() => this.exitCode(), { what: `the end of process ${this.pid}`, timeoutMs });
    try {
      await exited(60_000);
    } catch (error) {
      if (await exists(join(this.#folder, "server.exit"))) return;
      await this.signal("SIGKILL");
      await exited(10_000);
      throw error;
    }
  }

  /**
   * Wait until the server says that it is ready.
   *
   * @param signal ends the waiting
   * @throws Error with the end of its log when it ends instead, or is not ready in time
   */
  async ready(
    title: string,
    isReady: () => Promise<boolean>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      await waitUntil(async () => {
        if (await isReady()) return true;
        const code = await this.exitCode();
        if (code !== undefined) throw new Error(`Cannot start ${title}: it ended with exit code ${code}`);
        return false;
      }, { what: `${title} to be ready`, timeoutMs, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${reason}\n${lastLines(await this.log())}`, { cause: error });
    }
  }
}

async function readNumber(path: string): Promise<number | undefined> {
  try {
    return Number((await Deno.readTextFile(path)).trim());
  } catch (error) {
    ignoreNotFound(error);
    return undefined;
  }
}
