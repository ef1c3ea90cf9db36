/**
 * pg-tide itself, run from source as a user would: every step of the demo that pg-tide has a command for goes through here.
 *
 * @module
 */

import { lastLines } from "../support/command.ts";
import { FROM_SOURCE, RelayProcess, runProgram } from "../support/relay_process.ts";
import { DemoError } from "./failure.ts";

/** A pipeline as `pg-tide status --json` shows it, as far as the demo looks. */
export interface PipelineState {
  readonly name: string;
  readonly state: string;
  readonly lag_messages: number;
  readonly last_error: { readonly reason: string; readonly advice: string | null } | null;
}

/** How long the killed relay's pipelines stay with it: the shortest that can be set keeps the demo short. */
export const LEASE_MS = 2_000;

/** The program at one database. */
export class DemoRelay implements AsyncDisposable {
  readonly #database: readonly string[];
  #process: RelayProcess | undefined;

  constructor(postgresUrl: string) {
    this.#database = ["--postgres-url", postgresUrl];
  }

  /** `pg-tide install`. @returns what it says */
  install(): Promise<string> {
    return this.#run(["install"]);
  }

  /** Run the relay. Returns when it has connected. */
  async start(): Promise<void> {
    this.#process = await RelayProcess.start(FROM_SOURCE, this.#database, {
      env: { PG_TIDE_LEASE_MS: String(LEASE_MS) },
    });
    await this.#process.ready();
  }

  /**
   * SIGKILL. Returns when the process is gone.
   *
   * @param look called when the signal has been sent; what it gives is returned
   */
  async kill<Sight>(look: () => Sight): Promise<Sight> {
    await this.#process?.signal("SIGKILL");
    const sight = look();
    await this.#process?.kill();
    await this.#forget();
    return sight;
  }

  /** SIGTERM. @throws Error with its log when it does not end well */
  async stop(): Promise<void> {
    const code = await this.#process?.stop();
    if (code !== undefined && code !== 0) {
      throw new Error(`Cannot stop the relay cleanly: exit code ${code}, expected 0\n${await this.log()}`);
    }
    await this.#forget();
  }

  /** The state of a pipeline by `pg-tide status --json`. */
  async status(pipeline: string): Promise<PipelineState> {
    const { pipelines }: { pipelines: readonly PipelineState[] } = JSON.parse(
      await this.#run(["status", "--json"]),
    );
    const found = pipelines.find(({ name }) => name === pipeline);
    if (found === undefined) throw new Error(`Cannot find pipeline ${pipeline} in pg-tide status`);
    return found;
  }

  /** The end of the running relay's log. */
  async log(): Promise<string> {
    return lastLines(await this.#process?.log() ?? "The relay does not run", 15);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  async #forget(): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    this.#process = undefined;
  }

  async #run(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runProgram(FROM_SOURCE, [...args, ...this.#database]);
    if (code === 0) return new TextDecoder().decode(stdout).trim();
    throw new DemoError(
      `Cannot run pg-tide ${args.join(" ")}: exit code ${code}\n${stderr.trim()}`,
      "",
      code,
    );
  }
}
