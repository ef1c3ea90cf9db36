/**
 * How fast a backlog is delivered: published while no relay runs, then drained, beside the native producer that sends as many
 * messages to the same broker. They take turns, each turn with a backlog and a topic of its own.
 *
 * The relay is up before its pipeline is enabled, so its start is no part of the figures; {@link measureStart} has it.
 *
 * @module
 */

import { type TideDatabase, tideDatabase } from "../support/tide_database.ts";
import { publishBacklog } from "./backlog.ts";
import type { BenchContext } from "./context.ts";
import { deliverBacklog, type Spent } from "./delivery.ts";
import {
  dropOutbox,
  dropPipeline,
  enablePipeline,
  expectOf,
  setPipeline,
  startRelay,
  stopRelay,
} from "./pipeline.ts";
import { NativeProducer } from "./producer_perf.ts";
import { besideNeighbour, besideTarget, type Result } from "./results.ts";
import { designed } from "./sending.ts";
import { ratesOf, TimedTopic } from "./timeline.ts";

/** The design's figures, by `batch_size`. */
const TARGETS = [
  { batchSize: 100, perSecond: 120_000 },
  { batchSize: 500, perSecond: 200_000 },
  { batchSize: 1_000, perSecond: 250_000 },
] as const;

/** Of the native producer's rate. */
const NATIVE_SHARE = 0.8;
const CPU_S_PER_MILLION = 8;
const PEAK_MB = 250;
const START_MS = 1_000;
const START_LIMIT_MS = 30_000;

/** One drain. */
interface Drain extends Spent {
  readonly whole: number;
  readonly half: number;
}

/** Drain a backlog with each `batch_size`. */
export async function measureDrain(context: BenchContext): Promise<Result[]> {
  await using database = await tideDatabase(context.postgres);
  const results: Result[] = [];
  for (const { batchSize, perSecond } of TARGETS) {
    const { drains, natives } = await takeTurns(context, database, batchSize);
    results.push(...resultsOf(context, { batchSize, perSecond, drains, natives }));
  }
  return results;
}

async function takeTurns(context: BenchContext, database: TideDatabase, batchSize: number) {
  const { brokers, payloadFile, progress, scale } = context;
  const drains: Drain[] = [];
  const natives: { whole: number; half: number }[] = [];
  progress(`drain ${batchSize}: warming up the broker with the native producer`);
  const sending = designed({ brokers, payloadFile, batchSize });
  const native = await NativeProducer.calibrated({ ...sending, count: scale.brokerWarmUp });
  for (let round = 1; round <= scale.rounds; round++) {
    const theirs = ratesOf(scale.backlog, await native.send(scale.backlog));
    natives.push(theirs);
    const ours = await drainOnce(context, database, batchSize);
    drains.push(ours);
    progress(
      `drain ${batchSize}, round ${round}: ${shown(ours)}, native producer ${shown(theirs)}`,
    );
  }
  return { drains, natives };
}

function shown({ whole, half }: { whole: number; half: number }): string {
  return `${Math.round(whole)} msg/s (second half ${Math.round(half)})`;
}

async function drainOnce(context: BenchContext, database: TideDatabase, batchSize: number): Promise<Drain> {
  const { brokers, scale: { backlog } } = context;
  const outbox = "backlog";
  await publishBacklog(database, outbox, backlog);
  await using topic = await TimedTopic.create(brokers, `drain-${batchSize}`);
  const pipeline = { outbox, batchSize, topic: topic.name };
  const spent = await deliverBacklog(context, database, { topic, count: backlog, pipeline });
  await dropPipeline(database, outbox);
  await dropOutbox(database, outbox);
  return { ...ratesOf(backlog, await topic.arrivals(backlog)), ...spent };
}

interface Turns {
  readonly batchSize: number;
  readonly perSecond: number;
  readonly drains: readonly Drain[];
  readonly natives: readonly { readonly whole: number; readonly half: number }[];
}

function resultsOf({ scale }: BenchContext, { batchSize, perSecond, drains, natives }: Turns): Result[] {
  const rate = (name: string, note: string) =>
    ({ name: `drain_${batchSize}${name}`, unit: "msg/s", better: "more", note }) as const;
  const used = (name: string, unit: string, note: string) =>
    ({ name: `drain_${batchSize}_${name}`, unit, better: "less", note }) as const;
  const wholes = drains.map(({ whole }) => whole);
  const backlog = `${scale.backlog} messages, batch_size ${batchSize}`;
  return [
    besideTarget(
      rate("", `${backlog}, first to last record at the broker; baseline: the goal`),
      wholes,
      perSecond,
    ),
    besideNeighbour(
      rate("_of_native", `${backlog}; baseline: ProducerPerformance, same broker and run`),
      wholes,
      natives.map(({ whole }) => whole),
      NATIVE_SHARE,
    ),
    besideNeighbour(
      rate("_second_half_of_native", "the second half of both, when both are warm"),
      drains.map(({ half }) => half),
      natives.map(({ half }) => half),
      NATIVE_SHARE,
    ),
    besideTarget(
      used("cpu_per_million", "s", "processor time of the relay from enabling on; baseline: the goal"),
      drains.map(({ cpuS }) => cpuS * 1e6 / scale.backlog),
      CPU_S_PER_MILLION,
    ),
    besideTarget(
      used("peak_memory", "MB", "VmHWM of the relay; baseline: the goal"),
      drains.map(({ peakBytes }) => peakBytes / 1e6),
      PEAK_MB,
    ),
  ];
}

/** From the start of the process to its first record at the broker, with something to deliver. */
export async function measureStart(context: BenchContext): Promise<Result[]> {
  const { brokers, compiled, progress, scale } = context;
  await using database = await tideDatabase(context.postgres);
  const outbox = "start";
  await database.sql`SELECT tide.outbox_create(${outbox})`;
  await using topic = await TimedTopic.create(brokers, "start");
  await setPipeline(database, { outbox, brokers, topic: topic.name, batchSize: 100 });
  await enablePipeline(database, outbox);
  const spansMs: number[] = [];
  for (let round = 1; round <= scale.rounds; round++) {
    await database.sql`SELECT tide.outbox_publish(${outbox}, '{}')`;
    const startMs = Date.now();
    await using relay = await startRelay(context, database);
    await expectOf(relay, topic.holds(round, START_LIMIT_MS));
    await stopRelay(relay);
    spansMs.push((await topic.arrivals(round)).lastMs - startMs);
    progress(`start, round ${round}: first delivery after ${spansMs.at(-1)} ms`);
  }
  const program = compiled ? "the binary" : "from source";
  const note = `process start to first record at the broker, ${program}; baseline: the goal, for the binary`;
  return [
    besideTarget({ name: "start_to_first_delivery", unit: "ms", better: "less", note }, spansMs, START_MS),
  ];
}
