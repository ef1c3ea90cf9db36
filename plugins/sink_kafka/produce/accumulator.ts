/**
 * Puts the records of pages into batches, partition by partition.
 *
 * @module
 */

import { NULL_RANGE, type RecordPage } from "@pg-tide/sdk";
import { Batch, type Member } from "./batch.ts";
import { BufferPool } from "./buffer_pool.ts";
import type { Clock } from "../clock.ts";
import type { Topic } from "../cluster/cluster_port.ts";
import { UNKNOWN_PARTITION, unknownPartition } from "../fault/unknown_partition.ts";
import type { PageDelivery } from "./page_delivery.ts";
import { PartitionQueue } from "./partition_queue.ts";
import { type KeyPartitioner, StickyPartition } from "../record/partitioner.ts";

/** How batches are made. */
export interface AccumulatorOptions {
  /** The most records in a batch. */
  readonly batchSize: number;
  /** The most bytes in a batch before compression; a larger record has a batch of its own. */
  readonly batchBytes: number;
  readonly partitioner: KeyPartitioner;
  readonly timestamp: "created" | "now";
  readonly clock: Clock;
}

/** What the accumulator tells while it works. */
export interface AccumulatorEvents {
  /** A queue that was empty has a batch. */
  filled(queue: PartitionQueue): void;
  /** A batch was closed because it is full: it can be sent without waiting. */
  closed(queue: PartitionQueue): void;
}

/** The queues of one topic. */
class TopicQueues {
  readonly sticky: StickyPartition;
  readonly queues: PartitionQueue[] = [];
  readonly #name: string;

  constructor(name: string, sticky: StickyPartition) {
    this.#name = name;
    this.sticky = sticky;
  }

  queue(partition: number): PartitionQueue {
    return this.queues[partition] ??= new PartitionQueue(this.#name, partition);
  }
}

/** The open and waiting batches of all partitions. */
export class Accumulator {
  readonly #options: AccumulatorOptions;
  readonly #topics = new Map<string, TopicQueues>();
  readonly #pool = new BufferPool();

  constructor(options: AccumulatorOptions) {
    this.#options = options;
  }

  /** Every queue that there has been a record for. */
  *queues(): Generator<PartitionQueue> {
    for (const { queues } of this.#topics.values()) {
      for (const queue of queues) if (queue !== undefined) yield queue;
    }
  }

  /**
   * Append all records of a page; those that name a partition which their topic does not have are rejected.
   *
   * @param known what is known about each topic of the page that a record goes to; it has partitions
   */
  append(delivery: PageDelivery, known: readonly (Topic | undefined)[], events: AccumulatorEvents): void {
    const { page } = delivery;
    const { topic } = page;
    const { partitioner } = this.#options;
    const topics = page.topics.map((name) => this.#topicQueues(name));
    const counts = known.map((one) => one?.leaders.length ?? 0);
    const timeOf = this.#clock(page);
    for (let i = 0; i < page.count; i++) {
      const at = topic[i]!;
      const queues = topics[at]!;
      const count = counts[at]!;
      const chosen = chosenPartition(page, i, partitioner, count);
      if (chosen >= count) {
        delivery.reject(i, UNKNOWN_PARTITION, unknownPartition(page.topics[at]!, chosen, count));
        continue;
      }
      const partition = chosen < 0 ? queues.sticky.next(count, known[at]!.preferred) : chosen;
      const queue = queues.queue(partition);
      if (this.#appendOne(queue, delivery, i, timeOf(i), events) && chosen < 0) {
        queues.sticky.closed(partition);
      }
    }
  }

  /** Batches of these records, closed, for records whose batch must be taken apart. */
  rebatch(members: readonly Member[], createdAtMs: number): Batch[] {
    const batches: Batch[] = [];
    let batch: Batch | undefined;
    for (const { delivery, index } of members) {
      const time = this.#clock(delivery.page)(index);
      if (batch?.append(delivery, index, time, this.#options.batchBytes) !== true) {
        batch = new Batch(this.#pool.take(), createdAtMs);
        batch.append(delivery, index, time, this.#options.batchBytes);
        batches.push(batch);
      }
    }
    for (const each of batches) each.closed = true;
    return batches;
  }

  /** Use this memory again. */
  recycle(memory: Uint8Array<ArrayBuffer> | undefined): void {
    if (memory !== undefined) this.#pool.give(memory);
  }

  /** Append one record; returns whether a batch was closed. */
  #appendOne(
    queue: PartitionQueue,
    delivery: PageDelivery,
    i: number,
    timeMs: number,
    events: AccumulatorEvents,
  ): boolean {
    const { batchSize } = this.#options;
    const batchBytes = Math.min(this.#options.batchBytes, queue.batchBytesMax);
    let batch = queue.open;
    let closed = false;
    if (batch?.append(delivery, i, timeMs, batchBytes) !== true) {
      if (batch !== undefined) {
        batch.closed = true;
        closed = true;
        events.closed(queue);
      }
      batch = new Batch(this.#pool.take(), this.#options.clock.monotonicMs());
      batch.append(delivery, i, timeMs, batchBytes);
      queue.waiting.push(batch);
      if (queue.waiting.length === 1) events.filled(queue);
    }
    if (batch.count < batchSize) return closed;
    batch.closed = true;
    events.closed(queue);
    return true;
  }

  /** The timestamp of each record of a page, in whole milliseconds. */
  #clock(page: RecordPage): (i: number) => number {
    if (this.#options.timestamp === "now") {
      const now = Math.floor(this.#options.clock.wallMs());
      return () => now;
    }
    const { createdMs } = page;
    return (i) => Math.floor(createdMs[i]!);
  }

  #topicQueues(name: string): TopicQueues {
    let queues = this.#topics.get(name);
    if (queues === undefined) {
      const { batchSize, clock } = this.#options;
      queues = new TopicQueues(name, new StickyPartition(() => clock.random(), batchSize));
      this.#topics.set(name, queues);
    }
    return queues;
  }
}

/** The partition that record `i` names, though its topic may not have it, or else that its key chooses; -1 for none. */
function chosenPartition(
  { key, partition }: RecordPage,
  i: number,
  partitioner: KeyPartitioner,
  count: number,
): number {
  const named = partition === undefined ? -1 : partition[i]!;
  if (named >= 0) return named;
  const start = key.ranges[2 * i]!;
  return start === NULL_RANGE ? -1 : partitioner(key.bytes, start, key.ranges[2 * i + 1]!, count);
}
