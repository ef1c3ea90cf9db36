/**
 * The connection to PostgreSQL. The driver is known in this folder only.
 *
 * @module
 */

import postgres from "postgres";
import { backoffMs } from "../base/backoff.ts";
import { type Clock, SYSTEM_CLOCK } from "../base/clock.ts";
import { EXIT, UserError } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import { within } from "../base/within.ts";
import { connectError, errorCode } from "./connect_error.ts";
import { type ConnectionTarget, describeTarget, parseConnectionUrl } from "./connection_url.ts";
import { Listener, type NotificationChannel } from "./notifications.ts";
import { POSTGRES_OLDEST, SCHEMA } from "./schema_version.ts";
import { Sockets } from "./sockets.ts";
import { readStatement } from "./statement.ts";

const SERVER_STATE = readStatement("server_state");
const SCHEMA_VERSION = readStatement("schema_version");

/** How to connect. */
export interface ConnectOptions {
  /** `postgresql://user:password@host:port/database?sslmode=…` */
  readonly url: string;
  /** Connections beside the one that listens. @default 4 */
  readonly maxConnections?: number;
  /** Shown in `pg_stat_activity`. @default "pg-tide" */
  readonly applicationName?: string;
  /** Called with the text of every notice of the server. */
  readonly onNotice?: (text: string) => void;
  /** Whether the schema `tide` must be there, in a version that this program works with. `install` says false. @default true */
  readonly requireSchema?: boolean;
  /** How long connecting may take, in seconds. @default 10 */
  readonly connectTimeoutSeconds?: number;
  readonly clock?: Clock;
}

/** A parameter of a statement. */
export type Parameter = string | number | boolean | null;

/** How to ask. */
export interface QueryOptions {
  /** Parse the statement once for each connection. @default false */
  readonly prepare?: boolean;
  /** How long the answer may take, in milliseconds. @default LIMITS.queryMs */
  readonly withinMs?: number;
}

/**
 * An open database. Connections that are lost are opened again by the next query. Each query is one transaction, and may be
 * executed by any connection.
 */
export interface Database {
  readonly clock: Clock;
  /** Execute a statement. When it is not answered in time, all connections are given up, and opened anew. */
  query<Row>(
    statement: string,
    parameters?: readonly Parameter[],
    options?: QueryOptions,
  ): Promise<readonly Row[]>;
  /** The same, with the values of the only row as the server wrote them: views that are good until the next turn of the event loop. */
  queryBytes(
    statement: string,
    parameters?: readonly Parameter[],
    options?: QueryOptions,
  ): Promise<readonly (Uint8Array | null)[]>;
  /** The version of the schema `tide`; 0 without one. */
  schemaVersion(): Promise<number>;
  /** Execute a script of several statements. */
  execute(script: string): Promise<void>;
  /** Notifications on a channel; the same object for the same name. Never throws: where LISTEN fails, none arrive. */
  channel(name: string): NotificationChannel;
  /** Close all connections; running queries get a moment to end. */
  close(): Promise<void>;
}

/** What the server and its schema are like. */
interface ServerState {
  readonly version: number;
  readonly versionText: string;
  readonly standby: boolean;
  readonly isolation: string;
  readonly commit: string;
  readonly schemaExists: boolean;
  readonly schemaUsable: boolean;
  readonly schemaInstalled: boolean;
}

/**
 * Connect, and check that the server can be worked with: PostgreSQL 14 or newer, a primary, and the schema `tide` in a
 * version that this program knows.
 *
 * @throws {UserError} with what is wrong and what to do: exit code 3 when the server cannot be reached, else 2
 */
export async function connect(options: ConnectOptions): Promise<Database> {
  const target = parseConnectionUrl(options.url);
  let database = new PooledDatabase(target, options);
  try {
    const state = await database.state();
    checkServer(state, describeTarget(target));
    if (options.requireSchema !== false) await checkSchema(database, state, describeTarget(target));
    const settings = neededSettings(state);
    if (Object.keys(settings).length > 0) {
      await database.close();
      database = new PooledDatabase(target, options, settings);
      await database.state();
    }
    return database;
  } catch (error) {
    await database.close();
    throw connectError(error, describeTarget(target));
  }
}

/** Settings that differ from what the relay relies on. Not always sent, because poolers refuse what they do not know. */
function neededSettings({ isolation, commit }: ServerState): Record<string, string> {
  return {
    // Conditional updates and the fence see what was committed while they waited.
    ...(isolation !== "read committed" && { default_transaction_isolation: "read committed" }),
    // A lease that a crash takes back could be given to two relays under one epoch.
    ...(commit === "off" && { synchronous_commit: "on" }),
  };
}

/** What the server answers when all its connections are taken: the query was not sent then. */
const NO_CONNECTION_FREE = "53300";

/** Waits for one of our own connections to be free, when the server gives no other. */
const CONNECTION_WAIT = { initialMs: 20, maxMs: 500 };

class PooledDatabase implements Database {
  readonly clock: Clock;
  readonly #sql: postgres.Sql;
  readonly #sockets: Sockets;
  readonly #listener: Listener;

  constructor(target: ConnectionTarget, options: ConnectOptions, settings: Record<string, string> = {}) {
    this.clock = options.clock ?? SYSTEM_CLOCK;
    const connectSeconds = options.connectTimeoutSeconds ?? 10;
    this.#sockets = new Sockets(target, 1_000 * connectSeconds, this.clock);
    const { onNotice } = options;
    const driver = {
      ...(target.database !== undefined && { database: target.database }),
      ...(target.user !== undefined && { username: target.user }),
      ...(target.password !== undefined && { password: target.password }),
      socket: () => this.#sockets.open(),
      connect_timeout: connectSeconds,
      // Whoever asks again waits already.
      backoff: () => 0,
      // A connection is given to the next query when it is free, not before: a quick query must not stand behind a slow one.
      max_pipeline: 0,
      idle_timeout: 0,
      max_lifetime: null,
      // Saves a query at every connect; only array parameters would need it.
      fetch_types: false,
      connection: { application_name: options.applicationName ?? "pg-tide", ...settings },
      onnotice: (notice: postgres.Notice) => onNotice?.(notice["message"] ?? ""),
    };
    this.#sql = postgres({ ...driver, max: options.maxConnections ?? 4 });
    this.#listener = new Listener((hooks) => postgres({ ...driver, max: 1, ...hooks }), this.clock);
  }

  query<Row>(
    statement: string,
    parameters: readonly Parameter[] = [],
    { prepare = false, withinMs = LIMITS.queryMs }: QueryOptions = {},
  ): Promise<readonly Row[]> {
    return this.#answer<readonly Row[]>(
      () =>
        this.#sql.unsafe(statement, [...parameters], { prepare }).then((rows) => rows as unknown as Row[]),
      withinMs,
    );
  }

  async queryBytes(
    statement: string,
    parameters: readonly Parameter[] = [],
    { prepare = false, withinMs = LIMITS.queryMs }: QueryOptions = {},
  ): Promise<readonly (Uint8Array | null)[]> {
    const rows = await this.#answer(
      () => this.#sql.unsafe(statement, [...parameters], { prepare }).raw().then((raw) => [...raw]),
      withinMs,
    );
    return rows[0] as unknown as (Uint8Array | null)[];
  }

  async execute(script: string): Promise<void> {
    await this.#sql.unsafe(script).simple();
  }

  channel(name: string): NotificationChannel {
    return this.#listener.channel(name);
  }

  async close(): Promise<void> {
    await Promise.all([this.#listener.close(), this.#sql.end({ timeout: 1 })]);
    this.#sockets.close();
  }

  async schemaVersion(): Promise<number> {
    const state = await this.state();
    if (!state.schemaInstalled || !state.schemaUsable) return 0;
    const [row] = await this.query<{ version: number }>(SCHEMA_VERSION);
    return row?.version ?? 0;
  }

  async state(): Promise<ServerState> {
    const [row] = await this.query<ServerState>(SERVER_STATE);
    return row!;
  }

  async #answer<T extends object>(ask: () => Promise<T>, withinMs: number): Promise<T> {
    for (let attempt = 1;; attempt++) {
      try {
        const answer = await within(this.clock, withinMs, ask());
        if (answer !== undefined) return answer;
        break;
      } catch (error) {
        if (errorCode(error) !== NO_CONNECTION_FREE || attempt > LIMITS.connectionAttempts) throw error;
        await this.clock.sleep(backoffMs(CONNECTION_WAIT, attempt, this.clock.random()));
      }
    }
    const silence = new Error(`no answer within ${withinMs / 1_000} s`);
    this.#sockets.giveUp(silence);
    throw silence;
  }
}

function checkServer(state: ServerState, target: string): void {
  if (state.version < POSTGRES_OLDEST * 10_000) {
    throw refusal(
      "POSTGRES_TOO_OLD",
      `Cannot use the server at ${target}: it is PostgreSQL ${state.versionText}, expected ${POSTGRES_OLDEST} or newer`,
      "Upgrade the server.",
    );
  }
  if (state.standby) {
    throw refusal(
      "POSTGRES_STANDBY",
      `Cannot use the server at ${target}: it is a standby, expected the primary`,
      "Connect to the primary: a standby cannot tell which transactions are open.",
    );
  }
}

async function checkSchema(db: Database, state: ServerState, target: string): Promise<void> {
  if (state.schemaExists && !state.schemaUsable) {
    throw refusal(
      "POSTGRES_NO_RIGHTS",
      `Cannot use the database at ${target}: the role has no rights on the schema tide`,
      "Have an administrator run SELECT tide.grant_relay('role') for the role in the URL.",
    );
  }
  if (!state.schemaInstalled) {
    throw refusal(
      "SCHEMA_MISSING",
      `Cannot use the database at ${target}: pg-tide is not installed there`,
      "Run pg-tide install with the same URL, as a role that may create a schema.",
    );
  }
  const version = await db.schemaVersion();
  if (version < SCHEMA.oldest) {
    throw refusal(
      "SCHEMA_OLD",
      `Cannot use the database at ${target}: its schema tide has version ${version}, expected ${SCHEMA.oldest} or newer`,
      "Run pg-tide install with this version of pg-tide; relays may run meanwhile.",
    );
  }
  if (version > SCHEMA.newest) {
    throw refusal(
      "SCHEMA_NEW",
      `Cannot use the database at ${target}: its schema tide has version ${version}, expected at most ${SCHEMA.newest}`,
      "Use a newer pg-tide: the schema was installed by one.",
    );
  }
}

function refusal(code: string, message: string, advice: string): UserError {
  return new UserError(message, { code, advice, exitCode: EXIT.usage });
}
