/**
 * One outbox whose messages go to many topics, by a template, beside the same messages in a single topic.
 *
 * @module
 */

import { type TideDatabase, tideDatabase } from "../support/tide_database.ts";
import { publishBacklog } from "./backlog.ts";
import type { BenchContext } from "./context.ts";
import { deliverBacklog } from "./delivery.ts";
import { TOPIC_HEADER } from "./payload.ts";
import { dropPipeline } from "./pipeline.ts";
import { besideNeighbour, type Result } from "./results.ts";
import { ratesOf, TimedTopic } from "./timeline.ts";

const TOPICS = 64;
const PARTITIONS = 12;
const BATCH_SIZE = 1_000;
const OUTBOX = "topics";

/** Of the rate with a single topic. */
const SINGLE_SHARE = 0.5;

/**
 * They take turns, each turn for a consumer group of its own. The first turn is not counted: a broker prepares much for the first
 * record of a partition.
 */
export async function measureTopics(context: BenchContext): Promise<Result[]> {
  const { brokers, scale } = context;
  await using database = await tideDatabase(context.postgres);
  await publishBacklog(database, OUTBOX, scale.backlog, TOPICS);
  await using single = await TimedTopic.create(brokers, "single", { partitions: PARTITIONS });
  await using several = await TimedTopic.create(brokers, "several", {
    partitions: PARTITIONS,
    topics: TOPICS,
  });
  const template = `${several.name}-{header.${TOPIC_HEADER}}`;
  const rates: { readonly single: number; readonly several: number }[] = [];
  for (let round = 0; round <= scale.rounds; round++) {
    const rate = {
      single: await deliver(context, database, { topic: single, template: single.name, round }),
      several: await deliver(context, database, { topic: several, template, round }),
    };
    if (round > 0) rates.push(rate);
    context.progress(
      `topics, ${round === 0 ? "warming up" : `round ${round}`}: ` +
        `${TOPICS} topics ${Math.round(rate.several)} msg/s, a single one ${Math.round(rate.single)} msg/s`,
    );
  }
  const figure = {
    name: `topics_${TOPICS}_of_single`,
    unit: "msg/s",
    better: "more",
    note:
      `the whole relay, ${TOPICS} topics with ${PARTITIONS} partitions by a template, batch_size ${BATCH_SIZE}; baseline: ` +
      `a single topic with ${PARTITIONS} partitions, same run`,
  } as const;
  return [
    besideNeighbour(
      figure,
      rates.map(({ several }) => several),
      rates.map(({ single }) => single),
      SINGLE_SHARE,
    ),
  ];
}

/** Deliver the backlog once more. @returns messages per second */
async function deliver(
  context: BenchContext,
  database: TideDatabase,
  { round, template, topic }: {
    readonly topic: TimedTopic;
    readonly template: string;
    readonly round: number;
  },
): Promise<number> {
  const { backlog: count } = context.scale;
  const before = round * count;
  const pipeline = {
    outbox: OUTBOX,
    topic: template,
    batchSize: BATCH_SIZE,
    group: `${topic.name}-${round}`,
  };
  await deliverBacklog(context, database, { topic, count, before, pipeline });
  await dropPipeline(database, OUTBOX);
  return ratesOf(count, await topic.arrivals(count, before)).whole;
}
