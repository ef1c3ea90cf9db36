/**
 * Where in PostgreSQL the demo works: a server of its own, or a database, or at least schemas, of its own in a given one.
 *
 * @module
 */

import postgres from "postgres";
import { connectError } from "../../src/pg/connect_error.ts";
import { describeTarget, parseConnectionUrl } from "../../src/pg/connection_url.ts";
import { startPostgres } from "../support/postgres.ts";
import { DemoError } from "./failure.ts";

/** A place to work in, gone when disposed. */
export interface DemoDatabase extends AsyncDisposable {
  readonly url: string;
  /** For a person: which server, and what of it. */
  readonly description: string;
  /** Open connections, closed at the end. */
  connect(max: number): postgres.Sql;
}

/** Start a server of the demo's own. */
export async function ownDatabase(): Promise<DemoDatabase> {
  const server = await startPostgres({ version: 18 });
  return new Place(server.url(), `PostgreSQL 18 at 127.0.0.1:${server.port}`, {}, () => server.stop());
}

/**
 * Make a place in a given server.
 *
 * @param name of what is made; nobody else's
 * @throws DemoError or UserError when the server cannot be reached, or gives no room
 */
export async function givenDatabase(url: string, name: string): Promise<DemoDatabase> {
  const target = describeTarget(parseConnectionUrl(url));
  try {
    const role = await once(url, (sql) => sql<Role[]>`${sql.unsafe(ROLE)}`.then(([row]) => row!));
    return await (role.may_create_database
      ? newDatabase(url, name, target)
      : newSchemas(url, name, target, role));
  } catch (error) {
    throw error instanceof DemoError ? error : connectError(error, target);
  }
}

/** A connection that is not used any more is given back: servers have few. */
const IDLE_SECONDS = 5;
/** Whoever used one has ended by then, so that this is no wait. */
const CLOSE_SECONDS = 5;

interface Role {
  readonly name: string;
  readonly may_create_database: boolean;
  readonly may_create_schema: boolean;
  readonly has_tide: boolean;
}

const ROLE = `SELECT r.rolname AS name, r.rolcreatedb OR r.rolsuper AS may_create_database,
  has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
  to_regnamespace('tide') IS NOT NULL AS has_tide
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`;

async function newDatabase(url: string, name: string, target: string): Promise<DemoDatabase> {
  await once(url, (sql) => sql.unsafe(`CREATE DATABASE ${name}`));
  const inside = new URL(url);
  inside.pathname = `/${name}`;
  return new Place(inside.href, `database ${name} beside ${target}`, {}, async () => {
    await once(url, (sql) => sql.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  });
}

async function newSchemas(url: string, name: string, target: string, role: Role): Promise<DemoDatabase> {
  if (!role.may_create_schema) {
    throw new DemoError(
      `Cannot work at ${target}: role "${role.name}" may create neither a database nor a schema there`,
      `Let an administrator run ALTER ROLE ${role.name} CREATEDB, or give the URL of another role.`,
      2,
    );
  }
  if (role.has_tide) {
    // Its pipelines are not the demo's, whose relay would deliver them as well.
    throw new DemoError(
      `Cannot work at ${target}: there is a schema tide, and role "${role.name}" may not create another database`,
      `Give the URL of a database without pg-tide, or let an administrator run ALTER ROLE ${role.name} CREATEDB.`,
      2,
    );
  }
  // PostgreSQL keeps schema names that start with pg_ for itself.
  const schema = name.replace(/^pg_/, "");
  await once(url, (sql) => sql.unsafe(`CREATE SCHEMA ${schema}`));
  return new Place(url, `schemas tide and ${schema} at ${target}`, { search_path: schema }, async () => {
    await once(url, (sql) => sql.unsafe(`DROP SCHEMA IF EXISTS ${schema}, tide CASCADE`));
  });
}

/** Connect for one statement. */
async function once<Result>(url: string, task: (sql: postgres.Sql) => Promise<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 });
  try {
    return await task(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

class Place implements DemoDatabase {
  readonly url: string;
  readonly description: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #remove: () => Promise<void>;
  readonly #clients: postgres.Sql[] = [];

  constructor(
    url: string,
    description: string,
    settings: Readonly<Record<string, string>>,
    remove: () => Promise<void>,
  ) {
    this.url = url;
    this.description = description;
    this.#settings = settings;
    this.#remove = remove;
  }

  connect(max: number): postgres.Sql {
    const connection = { application_name: "pg-tide demo", ...this.#settings };
    const quiet = { fetch_types: false, idle_timeout: IDLE_SECONDS, onnotice: () => {} };
    const client = postgres(this.url, { max, connection, ...quiet });
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.end({ timeout: CLOSE_SECONDS })));
    await this.#remove();
  }
}
