/**
 * Many dead letters: how long an operator waits to see some of them and to have all of them sent again, and how fast they are.
 *
 * @module
 */

import { type TideDatabase, tideDatabase } from "../support/tide_database.ts";
import { waitUntil } from "../support/wait.ts";
import type { BenchContext } from "./context.ts";
import { enablePipeline, expectOf, setPipeline, startRelay, stopRelay } from "./pipeline.ts";
import { usageOf } from "./process_usage.ts";
import { besideTarget, median, observed, type Result } from "./results.ts";
import { TimedTopic } from "./timeline.ts";

const OUTBOX = "letters";
const BATCH_SIZE = 1_000;
const PER_SECOND = 20_000;
/** What a person takes for at once. */
const LIST_MS = 100;
const ASK_MS = 1_000;
const PEAK_MB = 250;
/** Slower than this is no sending. */
const SLOWEST_PER_SECOND = 1_000;
const LISTS = 20;

/** Fill the table, look at it, have all of it sent again. */
export async function measureDeadLetters(context: BenchContext): Promise<Result[]> {
  const { brokers, progress, scale: { deadLetters: count } } = context;
  await using database = await tideDatabase(context.postgres);
  await database.sql`SELECT tide.outbox_create(${OUTBOX})`;
  await using topic = await TimedTopic.create(brokers, OUTBOX);
  await setPipeline(database, { outbox: OUTBOX, brokers, topic: topic.name, batchSize: BATCH_SIZE });
  await enablePipeline(database, OUTBOX);
  progress(`dead letters: filing ${count}`);
  await fill(database, count);
  const listMs = await listTimes(database);
  await using relay = await startRelay(context, database);
  await relay.ready();
  const start = await usageOf(relay.pid);
  const askedMs = performance.now();
  await database.sql`SELECT * FROM tide.dlq_retry(${OUTBOX})`;
  const askMs = performance.now() - askedMs;
  const seconds = await expectDone(database, relay, count);
  const end = await usageOf(relay.pid);
  await stopRelay(relay);
  await topic.holdsExactly(count);
  progress(
    `dead letters: ${Math.round(count / seconds)} sent again a second; a page listed in ${
      median(listMs).toFixed(1)
    } ms, ` +
      `all asked for in ${askMs.toFixed(0)} ms`,
  );
  const figure = (name: string, unit: string, better: "more" | "less", note: string) =>
    ({ name: `dead_letters_${name}`, unit, better, note }) as const;
  const many = `${count} dead letters`;
  return [
    besideTarget(
      figure("resent", "msg/s", "more", `${many}, from asking to the last one gone; baseline: the goal`),
      [count / seconds],
      PER_SECOND,
    ),
    besideTarget(
      figure("list", "ms", "less", `a page of 100 of ${many}, by pipeline and code`),
      listMs,
      LIST_MS,
    ),
    besideTarget(figure("ask", "ms", "less", `asking for all of ${many}`), [askMs], ASK_MS),
    besideTarget(
      figure("peak_memory", "MB", "less", "VmHWM of the relay; baseline: the goal"),
      [end.peakBytes / 1e6],
      PEAK_MB,
    ),
    observed(figure("cpu_per_million", "s", "less", "processor time of the relay"), [
      (end.cpuS - start.cpuS) * 1e6 / count,
    ]),
  ];
}

/** Letters such as a missing value makes them; every hundredth has another code. */
async function fill(database: TideDatabase, count: number): Promise<void> {
  await database.sql`
    INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
      attempts, created_at, op, dedup_key, payload)
    SELECT ${OUTBOX}, ${OUTBOX}, 1, 'bench', n, 0, 'route',
      CASE WHEN n % 100 = 0 THEN 'MESSAGE_TOO_LARGE' ELSE 'TEMPLATE_VALUE_MISSING' END, 'the message has no value', 1, now(),
      'insert', 'key ' || n % 1000, '{"n": ' || n || ', "text": "' || repeat('x', 220) || '"}'
    FROM generate_series(1, ${count}::int) n`;
  await database.sql`VACUUM (ANALYZE) tide.dead_letter`;
}

async function listTimes(database: TideDatabase): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < LISTS; i++) {
    const startedMs = performance.now();
    await database.sql`SELECT * FROM tide.dlq_list(${OUTBOX}, 'MESSAGE_TOO_LARGE')`;
    times.push(performance.now() - startedMs);
  }
  return times;
}

/** Wait until all are gone. @returns how long that took, in seconds, by the database's clock */
async function expectDone(
  database: TideDatabase,
  relay: Awaited<ReturnType<typeof startRelay>>,
  count: number,
): Promise<number> {
  let seconds = 0;
  const done = waitUntil(async () => {
    const [row] = await database.sql`
      SELECT extract(epoch FROM finished_at - requested_at)::float8 AS seconds, delivered::int
      FROM tide.dlq_retries() WHERE finished_at IS NOT NULL`;
    if (row === undefined) return false;
    if (row["delivered"] !== count) {
      throw new Error(`Cannot measure: ${row["delivered"]} of ${count} were delivered`);
    }
    seconds = row["seconds"];
    return true;
  }, { what: "the dead letters to be gone", timeoutMs: count * 1_000 / SLOWEST_PER_SECOND, intervalMs: 100 });
  await expectOf(relay, done.then(() => {}));
  return seconds;
}
