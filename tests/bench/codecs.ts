/**
 * Every codec, idempotent and not: the sink alone beside Kafka's own producer with the same settings, and the whole relay.
 *
 * The relay delivers the same backlog again and again, each time for a consumer group of its own.
 *
 * @module
 */

import { tideDatabase } from "../support/tide_database.ts";
import { publishBacklog } from "./backlog.ts";
import type { BenchContext } from "./context.ts";
import { deliverBacklog } from "./delivery.ts";
import { dropPipeline } from "./pipeline.ts";
import { besideNeighbour, type Result } from "./results.ts";
import { type Codec, CODECS, designed } from "./sending.ts";
import { ratesOf, TimedTopic } from "./timeline.ts";
import { takeTurns } from "./turns.ts";

/** Of the native producer's rate. */
const NATIVE_SHARE = 0.8;
const BATCH_SIZE = 500;
const OUTBOX = "codecs";

/** Measure each of them. */
export async function measureCodecs(context: BenchContext): Promise<Result[]> {
  await using database = await tideDatabase(context.postgres);
  const { brokers, payloadFile, scale: { backlog: count } } = context;
  await publishBacklog(database, OUTBOX, count);
  const results: Result[] = [];
  let group = 0;
  for (const compression of CODECS) {
    const drain = async () => {
      await using topic = await TimedTopic.create(brokers, `relay-${compression}`);
      const pipeline = {
        outbox: OUTBOX,
        topic: topic.name,
        batchSize: BATCH_SIZE,
        compression,
        group: `bench-${group++}`,
      };
      await deliverBacklog(context, database, { topic, count, pipeline });
      await dropPipeline(database, OUTBOX);
      return ratesOf(count, await topic.arrivals(count)).whole;
    };
    for (const idempotent of [true, false]) {
      const sending = {
        ...designed({ brokers, payloadFile, batchSize: BATCH_SIZE }),
        compression,
        idempotent,
      };
      const title = `codecs, ${compression}${idempotent ? ", idempotent" : ""}`;
      const turns = await takeTurns(context, {
        title,
        sending,
        count,
        ...(idempotent ? { other: drain } : {}),
      });
      results.push(...resultsOf(compression, idempotent, turns));
    }
  }
  return results;
}

function resultsOf(
  compression: Codec,
  idempotent: boolean,
  { natives, others, ours }: Awaited<ReturnType<typeof takeTurns>>,
): Result[] {
  const settings = `${compression}, ${idempotent ? "" : "not "}idempotent, batches of ${BATCH_SIZE}`;
  const rate = (name: string, who: string) =>
    ({
      name: `codec_${compression}${idempotent ? "" : "_plain"}${name}`,
      unit: "msg/s",
      better: "more",
      note: `${who}; ${settings}; baseline: ProducerPerformance, same broker and run`,
    }) as const;
  return [
    besideNeighbour(rate("", "the sink alone, fed from memory"), ours, natives, NATIVE_SHARE),
    ...(others.length > 0 ? [besideNeighbour(rate("_relay", "the whole relay"), others, natives, null)] : []),
  ];
}
