/**
 * Batches and queues of the Kafka sink, made by hand.
 *
 * @module
 */

import { Batch } from "../../plugins/sink_kafka/produce/batch.ts";
import { PageDelivery } from "../../plugins/sink_kafka/produce/page_delivery.ts";
import { PartitionQueue } from "../../plugins/sink_kafka/produce/partition_queue.ts";
import { CREATED_MS, type RecordDraft, recordPage } from "./kafka_sink.ts";

/** How a batch is made. */
export interface BatchOptions {
  /** Its records. @default one record */
  readonly drafts?: readonly RecordDraft[];
  /** @default true */
  readonly closed?: boolean;
  /** When its first record came. @default 0 */
  readonly createdAtMs?: number;
  readonly sequence?: number;
}

/** A batch of a page of its own. */
export function batchOf(
  { drafts = [{ value: "x" }], closed = true, createdAtMs = 0, sequence = -1 }: BatchOptions = {},
): Batch {
  const delivery = new PageDelivery(recordPage("t", drafts), 0);
  const batch = new Batch(new Uint8Array(1_024), createdAtMs);
  drafts.forEach((_, i) => batch.append(delivery, i, CREATED_MS, Infinity));
  batch.closed = closed;
  batch.sequence = sequence;
  return batch;
}

/** A queue in which these batches wait. */
export function queueOf(partition: number, ...batches: readonly Batch[]): PartitionQueue {
  const queue = new PartitionQueue("t", partition);
  queue.waiting.push(...batches);
  return queue;
}
