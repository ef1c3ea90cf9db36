/**
 * Relays that print what they deliver, publishers that count, and the check that nothing is missing or out of order.
 *
 * ```ts
 * await using database = await tideDatabase(await sharedPostgres(18));
 * await addPipeline(database, "a");
 * await using relay = await startRelay(database.url);
 * await using publishers = Publishers.start(database, "a");
 * // …
 * await publishers.stop();
 * await allPrinted(database, "a", [relay]);
 * ```
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Json } from "../../plugins/sdk/mod.ts";
import type { PipelineStatus } from "../../src/pg/status.ts";
import { FROM_SOURCE, type ProgramOptions, RelayProcess, runProgram } from "./relay_process.ts";
import type { TideDatabase } from "./tide_database.ts";
import { waitUntil } from "./wait.ts";

/** What the sink `stdout` prints of a record. */
export interface Printed {
  readonly id: number;
  readonly topic: string;
  readonly key: string;
  readonly value: { readonly n: number };
}

/** An outbox and a pipeline of the same name, which prints it under that name as the topic. Enabled. */
export async function addPipeline(
  database: TideDatabase,
  name: string,
  config: Readonly<Record<string, Json>> = {},
): Promise<void> {
  await database.sql`SELECT tide.outbox_create(${name})`;
  await configure(database, name, config);
  await database.sql`SELECT tide.relay_enable(${name})`;
}

/** Set the configuration of a pipeline of {@link addPipeline}. */
export async function configure(
  database: TideDatabase,
  name: string,
  config: Readonly<Record<string, Json>>,
): Promise<void> {
  const text = JSON.stringify({ sink_type: "stdout", topic: name, ...config });
  await database.sql`SELECT tide.relay_set_outbox(${name}, ${name}, 'g', (${text}::text)::jsonb)`;
}

/** Start a relay with a short lease, and wait until it runs. */
export async function startRelay(
  url: string,
  args: readonly string[] = [],
  options: ProgramOptions = {},
): Promise<RelayProcess> {
  const relay = await RelayProcess.start(
    FROM_SOURCE,
    ["--postgres-url", url, "--lease-ms", "1000", ...args],
    options,
  );
  await relay.ready();
  return relay;
}

/** What a relay has printed under a topic, in its order. */
export async function printedBy(relay: RelayProcess, topic: string): Promise<Printed[]> {
  // A line at the end may not be whole yet.
  const lines = (await relay.log()).split("\n").slice(0, -1).filter((line) => line.startsWith('{"id":'));
  return lines.map((line) => JSON.parse(line) as Printed).filter((record) => record.topic === topic);
}

/** What `pg-tide status --json` says of every pipeline, by name. */
export async function statusOf(url: string): Promise<ReadonlyMap<string, PipelineStatus>> {
  const { code, stdout, stderr } = await runProgram(FROM_SOURCE, ["status", "--json", "--postgres-url", url]);
  assert.equal(code, 0, stderr);
  const { pipelines } = JSON.parse(new TextDecoder().decode(stdout)) as { pipelines: PipelineStatus[] };
  return new Map(pipelines.map((pipeline) => [pipeline.name, pipeline]));
}

/**
 * Wait until everything that was committed to an outbox is printed, and check it: nothing is missing, nothing is printed that
 * was rolled back, and the numbers of each key rise where they stand first.
 *
 * @param relays in the order in which they had the pipeline
 * @param topics under which the outbox was printed; its name unless said
 * @returns how many records were printed more than once
 */
export async function allPrinted(
  database: TideDatabase,
  outbox: string,
  relays: readonly RelayProcess[],
  topics: readonly string[] = [outbox],
): Promise<number> {
  const committed = await committedIds(database, outbox);
  const printed = async () => {
    const parts = await Promise.all(
      relays.flatMap((relay) => topics.map((topic) => printedBy(relay, topic))),
    );
    return parts.flat();
  };
  const records = await waitUntil(async () => {
    const seen = await printed();
    const ids = new Set(seen.map(({ id }) => id));
    return [...committed].every((id) => ids.has(id)) && seen;
  }, { what: `${committed.size} messages of ${outbox} to be printed`, timeoutMs: 60_000, intervalMs: 100 });
  assert.deepEqual(records.filter(({ id }) => !committed.has(id)), [], "nothing that was rolled back");
  const first = firstOf(records);
  for (const [key, numbers] of Map.groupBy(first, (record) => record.key)) {
    const order = numbers.map(({ value }) => value.n);
    assert.deepEqual(order, order.toSorted((a, b) => a - b), `${outbox}: the order of ${key}`);
  }
  return records.length - first.length;
}

function firstOf(records: readonly Printed[]): Printed[] {
  const seen = new Set<number>();
  return records.filter(({ id }) => !seen.has(id) && seen.add(id));
}

async function committedIds(database: TideDatabase, outbox: string): Promise<ReadonlySet<number>> {
  const [row] = await database.sql<{ number: number }[]>`
    SELECT number FROM tide.outbox WHERE name = ${outbox}`;
  const rows = await database.sql.unsafe<{ id: string }[]>(
    `SELECT id::text FROM tide.message_${row!.number}`,
  );
  return new Set(rows.map(({ id }) => Number(id)));
}

/** Publishers, one for each key, that number their messages; some transactions are long and some are rolled back. */
export class Publishers implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void[]>;
  #committed = 0;

  private constructor(database: TideDatabase, outbox: string, keys: number) {
    this.#running = Promise.all(
      Array.from({ length: keys }, (_, key) => this.#publish(database, outbox, `${outbox}-${key}`)),
    );
  }

  static start(database: TideDatabase, outbox: string, keys = 3): Promise<Publishers> {
    return Promise.resolve(new Publishers(database, outbox, keys));
  }

  /** Messages that were committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Wait until that many more are committed. */
  async more(count: number): Promise<void> {
    const goal = this.#committed + count;
    await waitUntil(() => this.#committed >= goal, { what: `${count} more messages`, timeoutMs: 60_000 });
  }

  /** End them with their transactions. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #publish(database: TideDatabase, outbox: string, key: string): Promise<void> {
    // The driver fetches types at each connect, and nobody hears when the connection is lost meanwhile.
    const sql = database.connect({ fetch_types: false });
    let n = 0;
    for (let round = 0; !this.#stop.signal.aborted; round++) {
      const count = 1 + round % 4;
      const messages = Array.from({ length: count }, (_, i) => ({ payload: { n: n + i }, dedup_key: key }));
      n += count;
      // One statement, and so one transaction: some are open for a while, and some fail at the end.
      const openSeconds = round % 13 === 5 ? 0.2 : 0;
      const divisor = round % 11 === 7 ? 0 : 1;
      try {
        await sql`
          SELECT tide.outbox_publish_many(${outbox}, (${JSON.stringify(messages)}::text)::jsonb),
            pg_sleep(${openSeconds}), 1 / ${divisor}::integer`;
        this.#committed += count;
      } catch {
        // Rolled back, or the server is away: such numbers are missing, or were committed without our knowledge.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}
