/**
 * The place where the README's code blocks are run as they stand: a PostgreSQL of its own with the names and passwords that the
 * README uses, the shared Kafka, and the program on the PATH. Only addresses differ, and names of topics, which other tests use too.
 *
 * @module
 */

import { join } from "node:path";
import postgres from "postgres";
import { runCommand } from "./command.ts";
import { type SharedKafka, sharedKafka } from "./kafka.ts";
import { findClass, kafkaJars } from "./kafka_jars.ts";
import { type PostgresServer, startPostgres } from "./postgres.ts";
import { readmeBlock } from "./readme.ts";
import { FROM_SOURCE, RelayProcess } from "./relay_process.ts";
import { ROOT } from "./repository.ts";

/** Rows of one statement. */
export type Rows = readonly Readonly<Record<string, unknown>>[];

/** What `PATH` holds in a stage, beside the machine's own. */
async function writeCommands(folder: string, { version }: SharedKafka): Promise<void> {
  const jars = await kafkaJars(version);
  const consumer = await findClass(jars, [
    "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka.tools.ConsoleConsumer",
  ]);
  // The README's consumer waits for more; this one ends after the first record.
  const consume = ["java", "-Xmx256m", "-cp", join(jars, "*"), consumer];
  const scripts = {
    "pg-tide": `exec ${quoted(FROM_SOURCE)} "$@"`,
    "deno": `exec ${quoted([Deno.execPath()])} "$@"`,
    "kafka-console-consumer": `exec ${quoted(consume)} "$@" --max-messages 1 --timeout-ms 60000`,
  };
  for (const [name, script] of Object.entries(scripts)) {
    await Deno.writeTextFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
}

/** A running stage. */
export class ReadmeStage implements AsyncDisposable {
  /** The folder in which commands run. */
  readonly folder: string;
  readonly kafka: SharedKafka;
  /** One connection of the superuser to the README's database. */
  readonly #sql: postgres.Sql;
  readonly #postgres: PostgresServer;
  readonly #replacements: Record<string, string>;
  readonly #topics: string[] = [];

  private constructor(folder: string, kafka: SharedKafka, server: PostgresServer) {
    this.folder = folder;
    this.kafka = kafka;
    this.#postgres = server;
    this.#sql = postgres(server.url("mydb"), { max: 1, onnotice: () => {}, password: "password" });
    this.#replacements = { "localhost:5432": `127.0.0.1:${server.port}`, "kafka:9092": kafka.brokers };
  }

  /** Set the stage up: an empty database `mydb`, whose superuser is `postgres` with the password `password`. */
  static async open(): Promise<ReadmeStage> {
    const kafka = await sharedKafka();
    const server = await startPostgres({ version: 18, durable: false });
    const folder = await Deno.makeTempDir({ prefix: "pg-tide-readme-" });
    await writeCommands(folder, kafka);
    const admin = postgres(server.url(), { max: 1 });
    await admin.unsafe("CREATE DATABASE mydb");
    await admin.unsafe("ALTER ROLE postgres PASSWORD 'password'");
    await admin.end();
    return new ReadmeStage(folder, kafka, server);
  }

  /** From now on, this text of the README stands for another one. */
  replace(text: string, replacement: string): void {
    this.#replacements[text] = replacement;
  }

  /** Create a topic; the README's name for it, or the start of it, then stands for the one created. @returns its name */
  async createTopic(name: string, rest = ""): Promise<string> {
    const own = `readme-${crypto.randomUUID().slice(0, 8)}-${name}`;
    await this.kafka.createTopic(own + rest, 1);
    this.#topics.push(own + rest);
    this.replace(name, own);
    return own + rest;
  }

  /** A block's text, as it is run here. */
  async text(name: string): Promise<string> {
    return Object.entries(this.#replacements).reduce(
      (text, [from, to]) => text.replaceAll(from, () => to),
      await readmeBlock(name),
    );
  }

  /** Run a block of SQL. @returns the rows of its last statement */
  async sql(name: string): Promise<Rows> {
    return await this.query(await this.text(name));
  }

  /** Run other SQL. @returns the rows of its last statement */
  async query(statements: string): Promise<Rows> {
    const results = await this.#sql.unsafe(statements).simple() as unknown as Rows | readonly Rows[];
    const last = (Array.isArray(results.at(-1)) ? results.at(-1) : results) as Rows;
    return last.map((row) => ({ ...row }));
  }

  /** Run a block of commands to its end. @returns what it printed @throws Error when it fails */
  async command(name: string): Promise<string> {
    const text = await this.text(name);
    // `main.ts` of a block means this checkout's; everything else happens in the stage's folder.
    const cwd = text.includes("main.ts") ? ROOT : this.folder;
    const { code, stdout, stderr } = await runCommand("sh", ["-c", text], { cwd, env: this.#env });
    const printed = new TextDecoder().decode(stdout);
    if (code !== 0) throw new Error(`Cannot run the block "${name}": exit code ${code}\n${printed}${stderr}`);
    return printed;
  }

  /** Start the relay by a block of one command, and wait until it runs. */
  async relay(name: string, env: Readonly<Record<string, string>> = {}): Promise<RelayProcess> {
    const script = `cd ${quoted([this.folder])} && exec ${await this.text(name)}`;
    const relay = await RelayProcess.start(["sh", "-c"], [script], { env: { ...this.#env, ...env } });
    await relay.ready();
    return relay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql.end();
    await this.#postgres.stop();
    await Promise.all(this.#topics.map((topic) => this.kafka.deleteTopic(topic)));
    await Deno.remove(this.folder, { recursive: true });
  }

  get #env(): Readonly<Record<string, string>> {
    return { PATH: `${this.folder}:${Deno.env.get("PATH") ?? ""}` };
  }
}

/** Words for a shell. */
function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
