/**
 * The compiled program as a user has it: a command line, and a database in which it has installed its schema.
 *
 * ```ts
 * await using deployment = await Deployment.install(await sharedPostgres(18));
 * await deployment.addPipeline("orders", { sink_type: "stdout", topic: "orders" });
 * await using relay = await deployment.startRelay();
 * await deployment.publish("orders", { n: 1 });
 * await deployment.reaches("orders", "idle");
 * ```
 *
 * @module
 */

import { strict as assert } from "node:assert";
import postgres from "postgres";
import { buildBinary } from "../support/binary.ts";
import type { SharedPostgres, TestDatabase } from "../support/postgres.ts";
import { COMPILED, type ProgramOptions, RelayProcess, runProgram } from "../support/relay_process.ts";
import { waitUntil } from "../support/wait.ts";

/** What a command printed, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Why a pipeline does not deliver, or what else should be known, as `status --json` says it. */
export interface LastError {
  readonly code: string;
  readonly reason: string;
  readonly advice: string | null;
  readonly since: string | null;
}

/** A pipeline, as `status --json` shows it: the contract of issue 4. */
export interface PipelineStatus {
  readonly name: string;
  readonly outbox: string;
  readonly group: string;
  readonly sink_type: string | null;
  readonly state: string;
  readonly lag_messages: number;
  readonly lag_seconds: number;
  readonly last_error: LastError | null;
  readonly warning: LastError | null;
}

/** A pipeline's configuration, as a user writes it. */
export type PipelineConfig = Readonly<Record<string, unknown>>;

/** What a user's client shows of a refused statement. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly detail: string;
  readonly hint: string;
}

/** The healthy pipeline that {@link Deployment.addHealthy} makes. */
export const HEALTHY = "healthy";

/** Long enough for a machine that does several other things. */
const SETTLES_WITHIN_MS = 60_000;

/** Run a command of the compiled program to its end. */
export async function pgTide(args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  await buildBinary();
  const { code, stdout, stderr } = await runProgram(COMPILED, args, options);
  return { code, out: new TextDecoder().decode(stdout), err: stderr };
}

/** A database with the schema, installed by the program. */
export class Deployment implements AsyncDisposable {
  readonly url: string;
  /** A few connections of the superuser. */
  readonly sql: postgres.Sql;
  readonly #database: TestDatabase;
  readonly #clients: postgres.Sql[] = [];

  private constructor(database: TestDatabase) {
    this.#database = database;
    this.url = database.url;
    this.sql = this.connect(4);
  }

  /** Create a database and run `pg-tide install` on it. */
  static async install(postgres: SharedPostgres): Promise<Deployment> {
    const deployment = new Deployment(await postgres.createDatabase());
    try {
      const { code, err } = await deployment.run(["install"]);
      assert.equal(code, 0, err);
      return deployment;
    } catch (error) {
      await deployment[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** More connections, closed with the database. */
  connect(max: number): postgres.Sql {
    const client = postgres(this.url, { max, onnotice: () => {} });
    this.#clients.push(client);
    return client;
  }

  /** Run a command on this database. */
  run(args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
    return pgTide([...args, "--postgres-url", this.url], options);
  }

  /** Run a command with another URL. */
  runAs(url: string, args: readonly string[]): Promise<Outcome> {
    return pgTide([...args, "--postgres-url", url]);
  }

  /** Start a relay and wait until it runs. */
  async startRelay(flags: readonly string[] = [], options: ProgramOptions = {}): Promise<RelayProcess> {
    const relay = await this.launchRelay(flags, options);
    try {
      await relay.ready();
      return relay;
    } catch (error) {
      await relay[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Start a relay. */
  async launchRelay(flags: readonly string[] = [], options: ProgramOptions = {}): Promise<RelayProcess> {
    await buildBinary();
    return await RelayProcess.start(COMPILED, ["--postgres-url", this.url, ...flags], options);
  }

  /** Create an outbox with a pipeline, both of this name, and enable it. */
  async addPipeline(name: string, config: PipelineConfig): Promise<void> {
    await this.sql`SELECT tide.outbox_create(${name})`;
    await this.configure(name, config);
    await this.sql`SELECT tide.relay_enable(${name})`;
  }

  /** Set the configuration of the pipeline of an outbox. */
  async configure(name: string, config: PipelineConfig): Promise<void> {
    await this
      .sql`SELECT tide.relay_set_outbox(${name}, ${name}, 'relay', ${JSON.stringify(config)}::text::jsonb)`;
  }

  /** Try to; what PostgreSQL says when it refuses. */
  refusalOf(name: string, config: PipelineConfig): Promise<Refusal> {
    return refusal(this.configure(name, config));
  }

  /** Publish a message. */
  async publish(outbox: string, payload: unknown, dedupKey: string | null = null): Promise<void> {
    await this.sql`SELECT tide.outbox_publish(${outbox}, ${
      JSON.stringify(payload)
    }::text::jsonb, ${dedupKey})`;
  }

  /** Add a pipeline that delivers to the relay's standard output, which {@link RelayProcess.log} shows. */
  addHealthy(): Promise<void> {
    return this.addPipeline(HEALTHY, { sink_type: "stdout", topic: "healthy" });
  }

  /** Publish to the healthy pipeline and wait until this relay has delivered the message. */
  async healthyGoesOn(relay: RelayProcess): Promise<void> {
    const token = crypto.randomUUID();
    await this.publish(HEALTHY, { token });
    await waitUntil(async () => (await relay.log()).includes(token), {
      what: "the healthy pipeline to deliver a message",
      timeoutMs: SETTLES_WITHIN_MS,
    });
  }

  /** What `status --json` says of every pipeline. */
  async status(): Promise<readonly PipelineStatus[]> {
    const { code, out, err } = await this.run(["status", "--json"]);
    assert.equal(code, 0, err);
    return JSON.parse(out).pipelines;
  }

  /** What `status --json` says of one. */
  async pipeline(name: string): Promise<PipelineStatus> {
    const found = (await this.status()).find((pipeline) => pipeline.name === name);
    assert.ok(found !== undefined, `status shows no pipeline ${name}`);
    return found;
  }

  /** Wait until `status --json` shows a pipeline in a state, and return what it shows. */
  async reaches(name: string, state: string, timeoutMs = SETTLES_WITHIN_MS): Promise<PipelineStatus> {
    let last: PipelineStatus | undefined;
    const ask = async () => {
      last = await this.pipeline(name);
      return last.state === state ? last : undefined;
    };
    const what = `pipeline ${name} to be ${state}`;
    return await waitUntil(ask, { what, timeoutMs, intervalMs: 200 }).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`, { cause: error });
    });
  }

  /** Like {@link Deployment.reaches}, for a state with an error. */
  async fails(name: string, state: "waiting" | "blocked" | "stopped"): Promise<LastError> {
    const { last_error } = await this.reaches(name, state);
    assert.ok(last_error !== null, `pipeline ${name} is ${state} without an error`);
    return last_error;
  }

  /** How many dead letters a pipeline has. */
  async deadLetters(name: string): Promise<number> {
    const letters = await this.sql`SELECT FROM tide.dlq_list(${name})`;
    return letters.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.end({ timeout: 5 })));
    await this.#database.drop();
  }
}

/** Wait until a relay has logged what matches. */
export async function logs(relay: RelayProcess, pattern: RegExp): Promise<void> {
  await waitUntil(async () => pattern.test(await relay.log()), {
    what: `the relay to log ${pattern}`,
    timeoutMs: SETTLES_WITHIN_MS,
  });
}

/** What PostgreSQL says against a statement. @throws {AssertionError} when it does not */
export async function refusal(statement: Promise<unknown>): Promise<Refusal> {
  const error = await statement.then(() => null, (error: unknown) => error);
  assert.ok(error instanceof postgres.PostgresError, `not refused by PostgreSQL: ${error}`);
  const { code, message, detail = "", hint = "" } = error;
  return { code, message, detail, hint };
}
