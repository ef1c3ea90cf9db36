/**
 * How long a message takes while others come steadily: at the rates that the Kafka page gives for each `batch_size`, and
 * with 2,000 transactions a second of one message each.
 *
 * @module
 */

import { tideDatabase } from "../support/tide_database.ts";
import type { BenchContext } from "./context.ts";
import { latencies } from "./latency.ts";
import { enablePipeline, expectOf, setPipeline, startRelay, stopRelay } from "./pipeline.ts";
import { type Published, publishSteadily } from "./publisher.ts";
import { usageOf } from "./process_usage.ts";
import { besideTarget, observed, percentile, type Result } from "./results.ts";
import { TimedTopic } from "./timeline.ts";

/** A load, the pipeline's settings, and what the design wants. */
interface Case {
  readonly name: string;
  readonly transactionsPerSecond: number;
  readonly messagesPerTransaction: number;
  readonly batchSize: number;
  readonly lingerMs: number;
  readonly p50TargetMs?: number;
  readonly p99TargetMs: number;
}

/** The page's own `linger_ms`. */
const PAGE_LINGER_MS = 10;

/** Messages share a transaction where single ones would leave the publishers' commits no processor for the relay. */
const CASES: readonly Case[] = [
  {
    name: "steady_5000",
    transactionsPerSecond: 1_000,
    messagesPerTransaction: 5,
    batchSize: 100,
    lingerMs: PAGE_LINGER_MS,
    p99TargetMs: 20,
  },
  {
    name: "steady_20000",
    transactionsPerSecond: 1_000,
    messagesPerTransaction: 20,
    batchSize: 500,
    lingerMs: PAGE_LINGER_MS,
    p99TargetMs: 40,
  },
  {
    name: "steady_40000",
    transactionsPerSecond: 1_000,
    messagesPerTransaction: 40,
    batchSize: 1_000,
    lingerMs: PAGE_LINGER_MS,
    p99TargetMs: 80,
  },
  {
    name: "single_2000",
    transactionsPerSecond: 2_000,
    messagesPerTransaction: 1,
    batchSize: 100,
    lingerMs: 0,
    p50TargetMs: 4,
    p99TargetMs: 12,
  },
];

/** The share of the rate that the publishers must reach. */
const REACHED = 0.97;

/** How long the last messages may take. */
const REST_MS = 60_000;

/** Latency under each steady load. */
export async function measureSteady(context: BenchContext): Promise<Result[]> {
  const results: Result[] = [];
  for (const each of CASES) results.push(...await measureCase(context, each));
  return results;
}

async function measureCase(context: BenchContext, each: Case): Promise<Result[]> {
  const { brokers, progress, scale } = context;
  await using database = await tideDatabase(context.postgres);
  const outbox = "steady";
  await database.sql`SELECT tide.outbox_create(${outbox})`;
  await using topic = await TimedTopic.create(brokers, each.name);
  await setPipeline(database, { ...each, outbox, brokers, topic: topic.name });
  await enablePipeline(database, outbox);
  await using relay = await startRelay(context, database);
  await relay.ready();
  const before = await usageOf(relay.pid);
  const startMs = performance.now();
  const seconds = scale.steadyWarmUpS + scale.steadyS;
  const published = await publishSteadily(database, { ...each, outbox, seconds });
  await expectOf(relay, topic.holds(published.committedMs.length, REST_MS));
  const after = await usageOf(relay.pid);
  const cores = (after.cpuS - before.cpuS) * 1_000 / (performance.now() - startMs);
  await stopRelay(relay);
  const perSecond = each.transactionsPerSecond * each.messagesPerTransaction;
  const sorted = await latencies(brokers, topic.name, published.committedMs, scale.steadyWarmUpS * perSecond);
  const results = resultsOf(each, published, sorted, cores);
  progress(`${each.name}: ${results.map(({ name, value }) => `${name} ${value.toFixed(1)}`).join(", ")}`);
  return results;
}

function resultsOf(each: Case, published: Published, sorted: Float64Array, cores: number): Result[] {
  const { batchSize, lingerMs, messagesPerTransaction, p50TargetMs, p99TargetMs, transactionsPerSecond } =
    each;
  const load = `${transactionsPerSecond} tx/s of ${messagesPerTransaction}, batch_size ${batchSize}, ` +
    `linger_ms ${lingerMs}` + behind(each, published);
  const latency = (share: string) =>
    ({
      name: `${each.name}_${share}`,
      unit: "ms",
      better: "less",
      note: `commit to append; ${load}`,
    }) as const;
  const p50 = [percentile(sorted, 0.5)];
  return [
    p50TargetMs === undefined
      ? observed(latency("p50"), p50)
      : besideTarget(latency("p50"), p50, p50TargetMs),
    besideTarget(latency("p99"), [percentile(sorted, 0.99)], p99TargetMs),
    observed(latency("max"), [percentile(sorted, 1)]),
    observed({
      name: `${each.name}_rate`,
      unit: "msg/s",
      better: "more",
      note: "what the publishers reached",
    }, [
      published.messagesPerSecond,
    ]),
    observed({ name: `${each.name}_cpu`, unit: "cores", better: "less", note: "of the relay" }, [cores]),
  ];
}

/** Latency at a lower rate than wanted is another figure, and must say so. */
function behind(
  { messagesPerTransaction, transactionsPerSecond }: Case,
  { messagesPerSecond }: Published,
): string {
  if (messagesPerSecond >= REACHED * messagesPerTransaction * transactionsPerSecond) return "";
  return `; the publishers reached only ${Math.round(messagesPerSecond)} msg/s`;
}
