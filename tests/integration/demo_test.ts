/**
 * `deno task demo`, as a user runs it.
 *
 * @module
 */

import { strict as assert } from "node:assert";
import postgres from "postgres";
import { sharedKafka } from "../support/kafka.ts";
import { quietClient } from "../support/kafka_admin.ts";
import { freePort } from "../support/port.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { ROOT } from "../support/repository.ts";
import { waitUntil } from "../support/wait.ts";

/** A demo that runs, and what it has printed by now. */
class RunningDemo implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "demo", ...args],
      cwd: ROOT,
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([
      read(this.#process.stdout, (text) => this.stdout += text),
      read(this.#process.stderr, (text) => this.stderr += text),
    ]);
  }

  /** Wait until the standard error stream holds a text. */
  async saysOnStderr(text: string): Promise<void> {
    await waitUntil(() => this.stderr.includes(text), {
      what: `"${text}" in ${this.stderr}`,
      timeoutMs: 120_000,
    });
  }

  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  async exitCode(): Promise<number> {
    const { code } = await this.#process.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await this.exitCode();
  }
}

async function read(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
}

async function demoOnSharedServers(...args: readonly string[]): Promise<RunningDemo> {
  const [server, kafka] = await Promise.all([sharedPostgres(18), sharedKafka()]);
  return new RunningDemo(["--postgres-url", server.url(), "--brokers", kafka.brokers, ...args]);
}

/** What demos have left on the shared servers; their names are in `output`. */
async function leftBehind(output: string): Promise<readonly string[]> {
  const name = /pg_tide_demo_[0-9a-f]{8}/.exec(output)?.[0];
  assert.ok(name !== undefined, output);
  const sql = postgres((await sharedPostgres(18)).url(), { max: 1 });
  const admin = quietClient((await sharedKafka()).brokers).admin();
  try {
    await admin.connect();
    const databases = await sql<{ datname: string }[]>`SELECT datname FROM pg_database`;
    const { groups } = await admin.listGroups();
    const names = [
      ...databases.map(({ datname }) => datname),
      ...await admin.listTopics(),
      ...groups.map(({ groupId }) => groupId),
    ];
    return names.filter((one) => one.includes(name));
  } finally {
    await Promise.all([sql.end(), admin.disconnect()]);
  }
}

/** Processes, by id, with this text in their environment, which they inherit from whoever started them. */
async function processesWith(mark: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // Processes of others cannot be read, and some end while this looks.
    const environment = await Deno.readTextFile(`/proc/${name}/environ`).catch(() => "");
    if (environment.includes(mark)) found.push(name);
  }
  return found;
}

async function isRefused(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return true;
    throw error;
  }
}

function portIn(output: string, server: RegExp): number {
  return Number(server.exec(output)?.[1]);
}

Deno.test("deno task demo --json shows the example's record and keeps every promise over a SIGKILL", async () => {
  await using demo = await demoOnSharedServers("--json", "--messages", "2000");
  assert.equal(await demo.exitCode(), 0, demo.stderr);
  assert.match(demo.stdout, /^\{[^\n]+\}\n$/);
  const figures = JSON.parse(demo.stdout);
  assert.deepEqual(
    {
      ...figures,
      duplicated: 0,
      msg_per_s: 0,
      latency_ms: 0,
      rolled_back: 0,
      in_flight_at_kill: 0,
      outage_ms: 0,
    },
    {
      published: 2000,
      delivered: 2000,
      lost: 0,
      duplicated: 0,
      out_of_order: 0,
      unexpected: 0,
      msg_per_s: 0,
      latency_ms: 0,
      rolled_back: 0,
      in_flight_at_kill: 0,
      outage_ms: 0,
      steady: { published: 2000, delivered: 2000, lost: 0, duplicated: 0, out_of_order: 0, unexpected: 0 },
      backlog: { published: 2000, delivered: 2000, lost: 0, duplicated: 0, out_of_order: 0, unexpected: 0 },
    },
  );
  const { duplicated, msg_per_s, latency_ms: { p50, p99 }, rolled_back, in_flight_at_kill, outage_ms } =
    figures;
  assert.ok(Number.isInteger(duplicated) && duplicated >= 0);
  assert.ok(msg_per_s > 1000, `${msg_per_s} messages a second`);
  assert.ok(p50 > 0 && p50 <= p99 && p99 < 5000, `latencies ${p50} and ${p99}`);
  // What is in flight at a kill has not arrived, or has arrived and the relay could not save that it had.
  assert.ok(in_flight_at_kill + duplicated > 0, demo.stdout);
  assert.ok(rolled_back > 0 && outage_ms > 0, demo.stdout);
  assert.match(demo.stderr, /partition +0\n +offset +0\n +timestamp +\d{4}-.*\n +key +ord-12345\n +headers /);
  assert.match(demo.stderr, / pg_tide_outbox: orders\n/);
  assert.match(demo.stderr, / pg_tide_op: insert\n/);
  assert.match(demo.stderr, / +value +\{.*"order_id": "ord-12345".*\}\n/);
  assert.deepEqual(await leftBehind(demo.stderr), []);
});

Deno.test("deno task demo ends on Ctrl-C and leaves no process, port or folder of its own servers", async () => {
  const folder = await Deno.makeTempDir();
  const mark = `DEMO_MARK=${crypto.randomUUID()}`;
  const [name, value] = mark.split("=") as [string, string];
  try {
    await using demo = new RunningDemo(["--json", "--messages", "2000"], { TMPDIR: folder, [name]: value });
    await demo.saysOnStderr("Unhurried");
    const postgresPort = portIn(demo.stderr, /PostgreSQL 18 at 127\.0\.0\.1:(\d+)/);
    const kafkaPort = portIn(demo.stderr, /Apache Kafka [\d.]+ at 127\.0\.0\.1:(\d+)/);
    const sql = postgres(`postgres://postgres:postgres@127.0.0.1:${postgresPort}/postgres`, { max: 1 });
    const [row] = await sql<{ data_directory: string }[]>`SHOW data_directory`;
    await sql.end();
    assert.ok((await processesWith(mark)).length >= 3, "deno task, the demo, the relay and the servers");
    demo.signal("SIGINT");
    assert.equal(await demo.exitCode(), 130, demo.stderr);
    assert.match(demo.stderr, /SIGINT: stopping and cleaning up/);
    assert.equal(demo.stdout, "");
    // The guard of each server sleeps a second between two looks.
    const allGone = async () => (await processesWith(mark)).length === 0;
    await waitUntil(allGone, { what: "the end of all processes", timeoutMs: 3_000 });
    assert.deepEqual([await isRefused(postgresPort), await isRefused(kafkaPort)], [true, true]);
    await assert.rejects(Deno.stat(row!.data_directory), Deno.errors.NotFound);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("deno task demo ends on SIGTERM and leaves nothing on given servers", async () => {
  await using demo = await demoOnSharedServers("--json");
  await demo.saysOnStderr("With a crash");
  assert.notDeepEqual(await leftBehind(demo.stderr), []);
  demo.signal("SIGTERM");
  assert.equal(await demo.exitCode(), 143, demo.stderr);
  assert.deepEqual(await leftBehind(demo.stderr), []);
});

Deno.test("deno task demo ends with 2 for bad usage, and with 3 for a server that is not there", async () => {
  await using confused = new RunningDemo(["--messages", "some"]);
  assert.equal(await confused.exitCode(), 2);
  assert.match(confused.stderr, /Expected a whole number from/);
  const url = `postgres://user:hidden@127.0.0.1:${freePort()}/postgres`;
  await using unreachable = new RunningDemo(["--json", "--postgres-url", url]);
  assert.equal(await unreachable.exitCode(), 3);
  assert.match(unreachable.stderr, /Cannot connect to PostgreSQL at 127\.0\.0\.1/);
  assert.doesNotMatch(unreachable.stderr, /hidden/);
  assert.equal(confused.stdout + unreachable.stdout, "");
});
