/**
 * The program as a user runs it: a process of its own, from source or compiled, that can be killed.
 *
 * ```ts
 * await runProgram(FROM_SOURCE, ["install", "--postgres-url", url]);
 * await using relay = await RelayProcess.start(FROM_SOURCE, ["--postgres-url", url]);
 * await relay.ready();
 * await relay.kill();
 * ```
 *
 * @module
 */

import { join } from "node:path";
import { BINARY, PERMISSIONS } from "./binary.ts";
import { ignoreNotFound } from "./cache.ts";
import { type CommandResult, runCommand } from "./command.ts";
import { Daemon } from "./daemon.ts";
import { ROOT } from "./repository.ts";
import { waitUntil } from "./wait.ts";

/** What stands before the program's own arguments. */
export type Program = readonly [string, ...string[]];

/** `deno run` of this checkout, with the permissions that the compiled program has. */
export const FROM_SOURCE: Program = [
  Deno.execPath(),
  "run",
  "--quiet",
  "--frozen",
  "--no-check",
  `--config=${join(ROOT, "deno.json")}`,
  ...PERMISSIONS,
  join(ROOT, "main.ts"),
];

/** The compiled program; `buildBinary()` makes it. */
export const COMPILED: Program = [BINARY];

/** What the program logs when it has connected and begins to deliver. */
const RUNNING = "pg-tide runs";
const READY_WITHIN_MS = 60_000;

/** What may differ from process to process. */
export interface ProgramOptions {
  /** Added to the environment of this process, of which no `PG_TIDE_…` reaches the program. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Run a command of the program to its end, such as `install`; its exit code is the caller's to judge. */
export function runProgram(
  program: Program,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<CommandResult> {
  const [executable, ...first] = program;
  return runCommand(executable, [...first, ...args], { env: environment(options) });
}

/** A running relay. It ends with this process, whatever ends this process. */
export class RelayProcess implements AsyncDisposable {
  readonly #daemon: Daemon;
  readonly #folder: string;

  private constructor(daemon: Daemon, folder: string) {
    this.#daemon = daemon;
    this.#folder = folder;
  }

  /** Start the program; see {@link RelayProcess.ready} for when it delivers. @param args such as `--postgres-url` */
  static async start(
    program: Program,
    args: readonly string[],
    options: ProgramOptions = {},
  ): Promise<RelayProcess> {
    const folder = await Deno.makeTempDir({ prefix: "pg-tide-relay-" });
    try {
      const daemon = await Daemon.start({
        command: [...program, ...args],
        folder,
        orphanSignal: "KILL",
        env: environment(options),
      });
      return new RelayProcess(daemon, folder);
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** Its process id, by which its memory and processor time can be seen. */
  get pid(): number {
    return this.#daemon.pid;
  }

  /** Wait until it says that it runs. @throws Error with the end of its log when it ends instead */
  async ready(): Promise<void> {
    const runs = async () => (await this.log()).includes(RUNNING);
    await this.#daemon.ready("the relay", runs, READY_WITHIN_MS);
  }

  /** All that it has printed, on standard output and standard error. */
  log(): Promise<string> {
    return this.#daemon.log();
  }

  /** Its exit code, or 128 and the number of the signal that ended it; undefined while it runs. */
  exitCode(): Promise<number | undefined> {
    return this.#daemon.exitCode();
  }

  /** Wait until it ends by itself. @returns its exit code */
  ended(timeoutMs = READY_WITHIN_MS): Promise<number> {
    return waitUntil(() => this.exitCode(), { what: "the end of the relay", timeoutMs });
  }

  /** Send a signal and go on. */
  signal(signal: Deno.Signal): Promise<void> {
    return this.#daemon.signal(signal);
  }

  /** End it as an operator would, and wait. @returns its exit code: 0 after a clean drain */
  async stop(): Promise<number> {
    await this.#daemon.end("SIGTERM");
    return await this.ended();
  }

  /** End it with SIGKILL: it can finish nothing. Returns when the process is gone. */
  async kill(): Promise<void> {
    await this.#daemon.end("SIGKILL");
  }

  /** Kill it, if it still runs, and remove its log; twice is once. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (await Deno.stat(this.#folder).catch(ignoreNotFound) === undefined) return;
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true }).catch(ignoreNotFound);
  }
}

/** An empty variable counts as one that is not set: the settings of whoever runs the tests are not the program's. */
function environment({ env }: ProgramOptions): Readonly<Record<string, string>> {
  const foreign = Object.keys(Deno.env.toObject()).filter((name) => name.startsWith("PG_TIDE_"));
  return { ...Object.fromEntries(foreign.map((name) => [name, ""])), ...env };
}
