/**
 * A request and its answer, matched partition by partition.
 *
 * @module
 */

import type { Batch } from "./batch.ts";
import type { PartitionQueue } from "./partition_queue.ts";
import type { PartitionResult, ProduceAnswer, TopicBatches } from "../cluster/produce_api.ts";

/** A batch in a request. */
export interface Sent {
  readonly queue: PartitionQueue;
  readonly batch: Batch;
}

/** The batches of a request, by topic. */
export function groupByTopic(sent: readonly Sent[]): TopicBatches[] {
  const topics = new Map<string, { partition: number; batch: Uint8Array<ArrayBuffer> }[]>();
  for (const { queue: { topic, partition }, batch } of sent) {
    const entry = { partition, batch: batch.bytes! };
    const entries = topics.get(topic);
    if (entries === undefined) topics.set(topic, [entry]);
    else entries.push(entry);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

/** What became of a queue's batch, or undefined when the answer does not say. */
export function resultOf(
  queue: PartitionQueue,
  answer: ProduceAnswer | undefined,
  acks: number,
): PartitionResult | undefined {
  const { topic, partition } = queue;
  if (acks === 0) return { topic, partition, errorCode: 0, errorMessage: null, recordErrors: [] };
  return answer?.results.find((result) => result.partition === partition && result.topic === topic);
}
