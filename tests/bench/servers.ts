/**
 * The servers that the benchmark measures on: its own, or those that the user names.
 *
 * @module
 */

import postgres from "postgres";
import { runCommand } from "../support/command.ts";
import { sharedKafka, startKafka } from "../support/kafka.ts";
import { KAFKA_VERSION } from "../support/kafka_jars.ts";
import { type SharedPostgres, sharedPostgres, startPostgres } from "../support/postgres.ts";
import type { Machine } from "./report.ts";
import { PARTITIONS } from "./timeline.ts";

/** Whose servers to use. */
export interface ServerChoice {
  /** A superuser's URL; a server of its own without one. */
  readonly postgresUrl?: string | undefined;
  /** `host:port,…`; a broker of its own without them. */
  readonly brokers?: string | undefined;
}

/** Running servers. */
export interface BenchServers extends AsyncDisposable {
  readonly postgres: SharedPostgres;
  readonly brokers: string;
}

const POSTGRES_MAJOR = 18;

/** A broker whose heap is not the limit. */
const JVM_OPTIONS = ["-Xmx1g", "-Xms1g"];

/** What decides the cost of a commit, of a page and of a wake-up. */
const TELLING_SETTINGS = [
  "server_version",
  "fsync",
  "synchronous_commit",
  "full_page_writes",
  "wal_level",
  "shared_buffers",
  "max_wal_size",
  "max_prepared_transactions",
] as const;

/** Start, or find, PostgreSQL and Kafka. */
export async function startServers(choice: ServerChoice): Promise<BenchServers> {
  await using stack = new AsyncDisposableStack();
  const database = await postgresOf(choice, stack);
  const brokers = await brokersOf(choice, stack);
  const kept = stack.move();
  return { postgres: database, brokers, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function postgresOf(choice: ServerChoice, stack: AsyncDisposableStack): Promise<SharedPostgres> {
  if (choice.postgresUrl !== undefined) {
    // As the tests name a server that they do not start.
    Deno.env.set(`TIDE_TEST_POSTGRES_${POSTGRES_MAJOR}_URL`, choice.postgresUrl);
    return await sharedPostgres(POSTGRES_MAJOR);
  }
  return stack.use(await startPostgres({ version: POSTGRES_MAJOR }));
}

async function brokersOf(choice: ServerChoice, stack: AsyncDisposableStack): Promise<string> {
  if (choice.brokers !== undefined) {
    Deno.env.set("TIDE_TEST_KAFKA_BROKERS", choice.brokers);
    return (await sharedKafka()).brokers;
  }
  return stack.use(await startKafka({ jvmOptions: JVM_OPTIONS })).brokers;
}

/** What the figures are measured on. To be asked before anything is measured: the load is that of others. */
export async function describeMachine(
  servers: BenchServers,
  choice: ServerChoice,
  relay: string,
): Promise<Machine> {
  const { osRelease, systemMemoryInfo } = Deno;
  return {
    cpu: await cpuModel(),
    cores: navigator.hardwareConcurrency,
    memory_gb: Math.round(systemMemoryInfo().total / 2 ** 30),
    os: `${Deno.build.os} ${osRelease()} ${Deno.build.arch}`,
    load: Deno.loadavg()[0]!,
    relay,
    postgres: await postgresSettings(servers.postgres.url()),
    kafka: {
      ...(choice.brokers === undefined
        ? { version: KAFKA_VERSION, jvm: JVM_OPTIONS.join(" "), server: "one node, KRaft, its own defaults" }
        : { server: "the user's" }),
      topics: `${PARTITIONS} partitions, 1 replica, LogAppendTime`,
    },
  };
}

async function postgresSettings(url: string): Promise<Record<string, string>> {
  const sql = postgres(url, { max: 1 });
  try {
    const rows = await sql<{ name: string; shown: string }[]>`
      SELECT name, current_setting(name) AS shown FROM pg_settings WHERE name IN ${sql([...TELLING_SETTINGS])}
    `;
    const shown = new Map(rows.map((row) => [row.name, row.shown]));
    return Object.fromEntries(TELLING_SETTINGS.map((name) => [name, shown.get(name) ?? "unknown"]));
  } finally {
    await sql.end();
  }
}

async function cpuModel(): Promise<string> {
  const text = Deno.build.os === "linux"
    ? await Deno.readTextFile("/proc/cpuinfo")
    : new TextDecoder().decode((await runCommand("sysctl", ["machdep.cpu.brand_string"])).stdout);
  return /(?:model name\s*|brand_string): ?(.+)/.exec(text)?.[1]?.trim() ?? Deno.build.arch;
}
