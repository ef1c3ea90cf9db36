/**
 * From commit to acknowledgement, message by message.
 *
 * @module
 */

import type { Consumer, EachBatchPayload } from "kafkajs";
// Brings the codec that kafkajs lacks.
import "../support/consume.ts";
import { quietClient } from "../support/kafka_admin.ts";
import { seqOf } from "./payload.ts";

const READ_WITHIN_MS = 120_000;

/**
 * The latencies of the messages after the first `skipped`, in rising order, in milliseconds: from the moment at which the commit
 * had returned in the publisher to the end of the millisecond in which the broker appended the record.
 *
 * The topic is read when everything is over; see {@link TimedTopic} for its times.
 *
 * @param committedMs of message 1, 2, …
 * @throws Error unless every message is there exactly once
 */
export async function latencies(
  brokers: string,
  topic: string,
  committedMs: Float64Array,
  skipped: number,
): Promise<Float64Array> {
  const appendedMs = await readAppendTimes(brokers, topic, committedMs.length);
  return latenciesOf(committedMs, appendedMs, skipped);
}

/** The differences, rising. */
export function latenciesOf(
  committedMs: Float64Array,
  appendedMs: Float64Array,
  skipped: number,
): Float64Array {
  // The broker's clock has whole milliseconds, cut off.
  const all = appendedMs.map((appended, i) => appended + 1 - committedMs[i]!);
  return all.subarray(skipped).toSorted();
}

/** When the broker appended message 1, 2, … `count`. */
async function readAppendTimes(brokers: string, topic: string, count: number): Promise<Float64Array> {
  const appendedMs = new Float64Array(count);
  const groupId = `${topic}-reader`;
  const consumer = quietClient(brokers).consumer({ groupId, retry: { retries: 40, maxRetryTime: 500 } });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await readAll(consumer, appendedMs);
  } finally {
    await consumer.disconnect();
  }
  return appendedMs;
}

function readAll(consumer: Consumer, appendedMs: Float64Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let open = appendedMs.length;
  const limit = setTimeout(
    () => reject(new Error(`Cannot read the topic back: ${open} still missing`)),
    READ_WITHIN_MS,
  );
  const take = ({ batch: { messages } }: EachBatchPayload): Promise<void> => {
    for (const { timestamp, value } of messages) {
      const seq = value === null ? 0 : seqOf(value);
      if (appendedMs[seq - 1] !== 0) {
        reject(new Error(`Cannot measure: message ${seq} is there twice, or was never published`));
        return Promise.resolve();
      }
      appendedMs[seq - 1] = Number(timestamp);
      open--;
    }
    if (open === 0) resolve();
    return Promise.resolve();
  };
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
  consumer.run({ eachBatch: take, autoCommit: false }).catch(reject);
  return promise.finally(() => clearTimeout(limit));
}
