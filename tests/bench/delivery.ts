/**
 * One delivery of a backlog by a relay that was up before.
 *
 * @module
 */

import type { TideDatabase } from "../support/tide_database.ts";
import type { BenchContext } from "./context.ts";
import {
  type BenchPipeline,
  enablePipeline,
  expectOf,
  setPipeline,
  startRelay,
  stopRelay,
} from "./pipeline.ts";
import { usageOf } from "./process_usage.ts";
import type { TimedTopic } from "./timeline.ts";

/** Slower than 2,000 messages a second is no delivery. */
const SLOWEST_PER_SECOND = 2_000;
/** What the connections of a relay that is up settle in. */
const SETTLE_MS = 500;

/** What the relay used. */
export interface Spent {
  /** Processor time from enabling on. */
  readonly cpuS: number;
  readonly peakBytes: number;
}

/** What is delivered. */
export interface Backlog {
  /** Messages. */
  readonly count: number;
  /** Records that the topic holds already. @default 0 */
  readonly before?: number;
  readonly topic: TimedTopic;
  readonly pipeline: Omit<BenchPipeline, "brokers">;
}

/** Start a relay, then enable a new pipeline, and wait until the topic holds exactly as many records more. */
export async function deliverBacklog(
  context: BenchContext,
  database: TideDatabase,
  { before = 0, count, pipeline, topic }: Backlog,
): Promise<Spent> {
  await setPipeline(database, { ...pipeline, brokers: context.brokers });
  await using relay = await startRelay(context, database);
  await relay.ready();
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const start = await usageOf(relay.pid);
  await enablePipeline(database, pipeline.outbox);
  await expectOf(relay, topic.holds(before + count, count * 1_000 / SLOWEST_PER_SECOND));
  const end = await usageOf(relay.pid);
  await stopRelay(relay);
  await topic.holdsExactly(before + count);
  return { cpuS: end.cpuS - start.cpuS, peakBytes: end.peakBytes };
}
