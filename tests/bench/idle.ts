/**
 * A relay with next to nothing to do: how long one message takes, and what waiting costs.
 *
 * @module
 */

import { type TideDatabase, tideDatabase } from "../support/tide_database.ts";
import type { BenchContext } from "./context.ts";
import { latencies } from "./latency.ts";
import { enablePipeline, expectOf, setPipeline, startRelay, stopRelay } from "./pipeline.ts";
import { publishSeldom } from "./publisher.ts";
import { usageOf } from "./process_usage.ts";
import { besideTarget, observed, percentile, type Result } from "./results.ts";
import { TimedTopic } from "./timeline.ts";

const P50_MS = 5;
const P99_MS = 15;
/** Longer than the relay goes on polling quickly after a message. */
const PAUSE_MS = { least: 60, most: 260 };
/** Not counted: the first messages find code that has never run. */
const WARM_UP = 10;
const ARRIVE_WITHIN_MS = 60_000;

const PIPELINES = 10;
const IDLE_CPU_PERCENT = 1;
/** After it has started, the runtime tidies its heaps up for half a minute. */
const SETTLE_MS = 40_000;

/** One message at a time. */
export async function measureIdleLatency(context: BenchContext): Promise<Result[]> {
  const { brokers, progress, scale } = context;
  await using database = await tideDatabase(context.postgres);
  await using topic = await TimedTopic.create(brokers, "idle");
  await makePipeline(context, database, "idle", topic.name);
  await using relay = await startRelay(context, database);
  await relay.ready();
  const count = WARM_UP + scale.idleMessages;
  const pause = () => PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least);
  const { committedMs } = await publishSeldom(database, "idle", count, pause);
  await expectOf(relay, topic.holds(count, ARRIVE_WITHIN_MS));
  await stopRelay(relay);
  const sorted = await latencies(brokers, topic.name, committedMs, WARM_UP);
  const note = `commit to append, one message every ${PAUSE_MS.least} to ${PAUSE_MS.most} ms, linger_ms 0`;
  const latency = (share: string) => ({ name: `idle_${share}`, unit: "ms", better: "less", note }) as const;
  const results = [
    besideTarget(latency("p50"), [percentile(sorted, 0.5)], P50_MS),
    besideTarget(latency("p99"), [percentile(sorted, 0.99)], P99_MS),
    observed(latency("max"), [percentile(sorted, 1)]),
  ];
  progress(`idle: ${results.map(({ name, value }) => `${name} ${value.toFixed(1)}`).join(", ")}`);
  return results;
}

/** Ten pipelines that have delivered one message each, and wait. */
export async function measureIdleCost(context: BenchContext): Promise<Result[]> {
  const { brokers, progress, scale } = context;
  await using database = await tideDatabase(context.postgres);
  await using topic = await TimedTopic.create(brokers, "waiting");
  const outboxes = Array.from({ length: PIPELINES }, (_, i) => `waiting_${i}`);
  for (const outbox of outboxes) await makePipeline(context, database, outbox, topic.name);
  await using relay = await startRelay(context, database);
  await relay.ready();
  for (const outbox of outboxes) await database.sql`SELECT tide.outbox_publish(${outbox}, '{}')`;
  await expectOf(relay, topic.holds(PIPELINES, ARRIVE_WITHIN_MS));
  await pause(SETTLE_MS);
  const before = { usage: await usageOf(relay.pid), queries: await transactions(database) };
  await pause(scale.idleS * 1_000);
  const after = { usage: await usageOf(relay.pid), queries: await transactions(database) };
  await stopRelay(relay);
  const percent = (after.usage.cpuS - before.usage.cpuS) * 100 / scale.idleS;
  const queries = (after.queries - before.queries) / scale.idleS;
  progress(
    `idle: ${percent.toFixed(2)} % of a core, ${queries.toFixed(1)} queries/s with ${PIPELINES} pipelines`,
  );
  const figure = (name: string, unit: string, note: string) =>
    ({ name, unit, better: "less", note }) as const;
  return [
    // Nothing at all would be less than a clock tick can tell.
    besideTarget(
      figure("idle_cpu", "% of a core", `${PIPELINES} idle pipelines for ${scale.idleS} s`),
      [Math.max(percent, 1 / scale.idleS)],
      IDLE_CPU_PERCENT,
    ),
    observed(figure("idle_queries", "/s", "transactions of the whole relay, by pg_stat_database"), [queries]),
    observed(figure("idle_peak_memory", "MB", `VmHWM with ${PIPELINES} pipelines, each with a Worker`), [
      after.usage.peakBytes / 1e6,
    ]),
  ];
}

async function makePipeline(
  { brokers }: BenchContext,
  database: TideDatabase,
  outbox: string,
  topic: string,
): Promise<void> {
  await database.sql`SELECT tide.outbox_create(${outbox})`;
  await setPipeline(database, { outbox, brokers, topic, batchSize: 100, lingerMs: 0 });
  await enablePipeline(database, outbox);
}

/** Transactions that the server has counted in this database. */
async function transactions(database: TideDatabase): Promise<number> {
  const [row] = await database.sql<{ count: string }[]>`
    SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()
  `;
  return Number(row?.count);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
