/**
 * Real PostgreSQL servers for tests: from npm, on a free port of the loopback interface, gone when the test is.
 *
 * ```ts
 * const postgres = await sharedPostgres(18);
 * Deno.test("publish() survives a restart of nothing", async () => {
 *   await using database = await postgres.createDatabase();
 *   // … connect to database.url
 * });
 * ```
 *
 * @module
 */

import { join } from "node:path";
import postgres from "postgres";
import { ignoreNotFound } from "./cache.ts";
import { runOrThrow } from "./command.ts";
import { Daemon } from "./daemon.ts";
import { freePort } from "./port.ts";
import { postgresBinaries, type PostgresMajor } from "./postgres_binaries.ts";

export type { PostgresMajor } from "./postgres_binaries.ts";

/** A database of its own for one test. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** With the superuser's name and password. */
  readonly url: string;
  /** Drop it, ending whatever is still connected; twice is once. */
  drop(): Promise<void>;
}

/** A server that several test files may use at once: it can be neither stopped nor restarted. */
export interface SharedPostgres {
  readonly version: PostgresMajor;
  /** A superuser's connection URL. @param database the one to connect to; `postgres` by default */
  url(database?: string): string;
  /** A new, empty database. @param clauses what else CREATE DATABASE shall say, such as `ENCODING 'LATIN1'` */
  createDatabase(clauses?: string): Promise<TestDatabase>;
}

/** A server of one's own. */
export interface PostgresServer extends SharedPostgres, AsyncDisposable {
  /** The same after every restart. */
  readonly port: number;
  /** Stop as an operator would (fast shutdown: open transactions are rolled back), then start on the same data. */
  restart(): Promise<void>;
  /** Start again after {@link PostgresServer.halt} or {@link PostgresServer.kill}, on the same port and data. */
  start(): Promise<void>;
  /** Stop as an operator would and keep the data. */
  halt(): Promise<void>;
  /** End it at once, as a crash of the machine would look to it: the next start recovers from the log. */
  kill(): Promise<void>;
  /** Restart it as a standby, which has no primary to follow and answers reading queries. */
  demote(): Promise<void>;
  /** Stop it and remove its data; twice is once. */
  stop(): Promise<void>;
}

/** What may differ from server to server. */
export interface PostgresOptions {
  readonly version: PostgresMajor;
  /** Further lines of postgresql.conf, such as `{ max_prepared_transactions: "10" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** False turns fsync off: faster, and a kill of the machine would lose data. @default true */
  readonly durable?: boolean;
}

/** What the tests that share a server may rely on. It is not durable: nobody restarts it, and databases come and go. */
export const SHARED_SETTINGS: Readonly<Record<string, string>> = {
  max_connections: "300",
  max_prepared_transactions: "20",
};

const USER = "postgres";
const PASSWORD = "postgres";
const READY_WITHIN_MS = 60_000;

/**
 * Start a server; the first call on a machine downloads it.
 *
 * @throws MissingToolError when something that it needs is not installed
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const server = new EmbeddedPostgres(options, await postgresBinaries(options.version), await unprivileged());
  await server.initialize();
  return server;
}

const shared = new Map<PostgresMajor, Promise<SharedPostgres>>();

/**
 * The server that the test runner has started and named in `TIDE_TEST_POSTGRES_<version>_URL`; without the runner
 * one is started for this test file and ends with it.
 */
export function sharedPostgres(version: PostgresMajor): Promise<SharedPostgres> {
  const known = shared.get(version);
  if (known !== undefined) return known;
  const url = Deno.env.get(`TIDE_TEST_POSTGRES_${version}_URL`);
  const server: Promise<SharedPostgres> = url === undefined
    ? startPostgres({ version, settings: SHARED_SETTINGS, durable: false })
    : Promise.resolve(new ExternalPostgres(version, url));
  shared.set(version, server);
  return server;
}

/** A server at a URL. */
class ExternalPostgres implements SharedPostgres {
  readonly version: PostgresMajor;
  readonly #url: string;

  constructor(version: PostgresMajor, url: string) {
    this.version = version;
    this.#url = url;
  }

  url(database?: string): string {
    const url = new URL(this.#url);
    if (database !== undefined) url.pathname = `/${database}`;
    return url.href;
  }

  createDatabase(clauses?: string): Promise<TestDatabase> {
    return createDatabase((name) => this.url(name), clauses);
  }
}

/** A server that this process has started. */
class EmbeddedPostgres implements PostgresServer {
  readonly version: PostgresMajor;
  readonly port = freePort();
  readonly #settings: Readonly<Record<string, string>>;
  readonly #binaries: string;
  readonly #user: User;
  #folder = "";
  #daemon: Daemon | undefined;

  constructor(options: PostgresOptions, binaries: string, user: User) {
    this.version = options.version;
    this.#settings = {
      listen_addresses: "127.0.0.1",
      port: String(this.port),
      unix_socket_directories: "",
      fsync: options.durable === false ? "off" : "on",
      ...options.settings,
    };
    this.#binaries = binaries;
    this.#user = user;
  }

  url(database = "postgres"): string {
    return `postgres://${USER}:${PASSWORD}@127.0.0.1:${this.port}/${database}`;
  }

  createDatabase(clauses?: string): Promise<TestDatabase> {
    return createDatabase((name) => this.url(name), clauses);
  }

  /** Make the data folder and start for the first time. */
  async initialize(): Promise<void> {
    // TMPDIR may lie in a folder of root's, where the unprivileged user cannot go.
    const place = this.#user.uid === undefined ? {} : { dir: "/tmp" };
    this.#folder = await Deno.makeTempDir({ prefix: "pg-tide-postgres-", ...place });
    try {
      if (this.#user.uid !== undefined) {
        await Deno.chown(this.#folder, this.#user.uid, this.#user.gid ?? null);
      }
      await this.#initdb();
      await this.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async start(): Promise<void> {
    if (this.#daemon !== undefined) return;
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const daemon = await Daemon.start({
      command: [join(this.#binaries, "bin", "postgres"), "-D", this.#data, ...settings],
      folder: this.#folder,
      orphanSignal: "QUIT",
      ...this.#user,
    });
    this.#daemon = daemon;
    await daemon.ready(`PostgreSQL ${this.version}`, () => this.#isReady(daemon.pid), READY_WITHIN_MS);
  }

  halt(): Promise<void> {
    return this.#end("SIGINT");
  }

  kill(): Promise<void> {
    // SIGKILL to the first process alone would leave the others running until they look for it; SIGQUIT ends them
    // all at once, flushes nothing, and makes the next start recover as after a crash.
    return this.#end("SIGQUIT");
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  async demote(): Promise<void> {
    await this.halt();
    // Read by the server's user, whatever this process's umask is.
    await Deno.writeTextFile(join(this.#data, "standby.signal"), "", { mode: 0o644 });
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#end("SIGQUIT");
    await Deno.remove(this.#folder, { recursive: true }).catch(ignoreNotFound);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  async #initdb(): Promise<void> {
    const passwordFile = join(this.#folder, "password");
    await Deno.writeTextFile(passwordFile, PASSWORD);
    const args = [
      "-D",
      this.#data,
      "-U",
      USER,
      "--pwfile",
      passwordFile,
      "--auth=scram-sha-256",
      "--no-sync",
    ];
    const locale = ["--encoding=UTF8", "--locale=C"];
    await runOrThrow(join(this.#binaries, "bin", "initdb"), [...args, ...locale], {
      cwd: this.#folder,
      ...this.#user,
    });
  }

  /** The server writes its state into its pid file, which is how pg_ctl sees it as well. */
  async #isReady(pid: number): Promise<boolean> {
    try {
      const lines = (await Deno.readTextFile(join(this.#data, "postmaster.pid"))).split("\n");
      return lines[0] === String(pid) && ["ready", "standby"].includes(lines[7]?.trim() ?? "");
    } catch (error) {
      ignoreNotFound(error);
      return false;
    }
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.end(signal);
  }
}

/** As whom to run; nothing when this process is unprivileged itself. */
export interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/** As whom servers run. PostgreSQL refuses to run as root: root runs it as nobody. */
export async function unprivileged(): Promise<User> {
  if (Deno.uid() !== 0) return {};
  const id = async (kind: string) => Number((await runOrThrow("id", [kind, "nobody"])).trim());
  return { uid: await id("-u"), gid: await id("-g") };
}

let created = 0;

async function createDatabase(urlOf: (database?: string) => string, clauses = ""): Promise<TestDatabase> {
  // Several test files share a server: the process id and a random part keep their names apart.
  const name = `tide_${Deno.pid}_${++created}_${crypto.randomUUID().slice(0, 8)}`;
  await execute(urlOf(), `CREATE DATABASE ${name} ${clauses}`);
  const drop = () => execute(urlOf(), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  return { name, url: urlOf(name), drop, [Symbol.asyncDispose]: drop };
}

async function execute(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
