/**
 * The connection to PostgreSQL. The driver is known in this folder only.
 *
 * @module
 */

import postgres from "postgres";
import { type Clock, SYSTEM_CLOCK } from "../base/clock.ts";
import { EXIT, UserError } from "../base/errors.ts";
import { connectError } from "./connect_error.ts";
import { type ConnectionTarget, describeTarget, parseConnectionUrl } from "./connection_url.ts";
import { Listener, type NotificationChannel } from "./notifications.ts";
import { POSTGRES_OLDEST, SCHEMA } from "./schema_version.ts";
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

/** An open database. Connections that are lost are opened again by the next query. */
export interface Database {
  /** For the adapters in this folder only. */
  readonly sql: postgres.Sql;
  readonly clock: Clock;
  /**
   * Rises whenever a connection is lost. Marks and windows that were taken before are void then: after a crash or
   * failover PostgreSQL gives transaction ids and message ids out again.
   */
  readonly incarnation: number;
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
    if (state.isolation !== "read committed") {
      // Conditional updates and the fence need it. Not always sent, because poolers refuse what they do not know.
      await database.close();
      database = new PooledDatabase(target, options, { default_transaction_isolation: "read committed" });
      await database.state();
    }
    return database;
  } catch (error) {
    await database.close();
    throw connectError(error, describeTarget(target));
  }
}

class PooledDatabase implements Database {
  readonly sql: postgres.Sql;
  readonly clock: Clock;
  readonly #listener: Listener;
  #incarnation = 0;
  #closing = false;

  constructor(target: ConnectionTarget, options: ConnectOptions, settings: Record<string, string> = {}) {
    this.clock = options.clock ?? SYSTEM_CLOCK;
    const { onNotice } = options;
    const driver = {
      ...(target.host.startsWith("/")
        ? { path: `${target.host}/.s.PGSQL.${target.port}` }
        : { host: target.host }),
      port: target.port,
      ...(target.database !== undefined && { database: target.database }),
      ...(target.user !== undefined && { username: target.user }),
      ...(target.password !== undefined && { password: target.password }),
      ssl: target.ssl,
      connect_timeout: options.connectTimeoutSeconds ?? 10,
      // A connection is never given up by ourselves: its loss is a sign.
      idle_timeout: 0,
      max_lifetime: null,
      // Saves a query at every connect; only array parameters would need it.
      fetch_types: false,
      connection: { application_name: options.applicationName ?? "pg-tide", ...settings },
      onnotice: (notice: postgres.Notice) => onNotice?.(notice["message"] ?? ""),
    };
    this.sql = postgres({
      ...driver,
      max: options.maxConnections ?? 4,
      onclose: () => void (this.#closing || this.#incarnation++),
    });
    this.#listener = new Listener((hooks) => postgres({ ...driver, max: 1, ...hooks }), this.clock);
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  async execute(script: string): Promise<void> {
    await this.sql.unsafe(script).simple();
  }

  channel(name: string): NotificationChannel {
    return this.#listener.channel(name);
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([this.#listener.close(), this.sql.end({ timeout: 1 })]);
  }

  async schemaVersion(): Promise<number> {
    const state = await this.state();
    if (!state.schemaInstalled || !state.schemaUsable) return 0;
    const [row] = await this.sql.unsafe<{ version: number }[]>(SCHEMA_VERSION);
    return row?.version ?? 0;
  }

  async state(): Promise<ServerState> {
    const [row] = await this.sql.unsafe<ServerState[]>(SERVER_STATE);
    return row!;
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
