/**
 * Chooses the batches of the next request to a broker. Pure.
 *
 * A request holds at most one batch of a partition (the protocol's rule), `batch_size` records and `max_request_size` bytes.
 * Batches that are full, or have waited for `linger_ms`, go first, in the order in which their partitions were served last. The
 * others go along when one of them has waited so long, or when together they would fill a request anyway: many partitions
 * with few records each must not each wait for the linger.
 *
 * @module
 */

import type { Batch } from "./batch.ts";
import type { PartitionQueue } from "./partition_queue.ts";

/** The bounds of a request. */
export interface RequestLimits {
  readonly batchSize: number;
  readonly requestBytes: number;
  readonly lingerMs: number;
}

/** What to send now, or until when there is nothing to send. */
export interface Gathered {
  /** The queues whose first batch goes into the request. */
  readonly queues: readonly PartitionQueue[];
  /** When to look again, if nothing happens before: a linger or a pause ends. */
  readonly wakeAtMs: number;
}

/**
 * Choose from the queues of one broker, in their order; see the module.
 *
 * @param fullOnly leave batches alone that still fill, because more records are being appended right now
 */
export function gather(
  queues: Iterable<PartitionQueue>,
  nowMs: number,
  limits: RequestLimits,
  fullOnly = false,
): Gathered {
  const request = new Request(limits);
  const filling: PartitionQueue[] = [];
  let fillingRecords = 0;
  let wakeAtMs = Infinity;
  let lingered = false;
  for (const queue of queues) {
    if (!queue.sendable(nowMs)) {
      if (queue.waiting.length > 0 && queue.retryAtMs > nowMs) wakeAtMs = Math.min(wakeAtMs, queue.retryAtMs);
      continue;
    }
    const head = queue.waiting[0]!;
    const lingerEndMs = head.createdAtMs + limits.lingerMs;
    const ripe = !fullOnly && nowMs >= lingerEndMs;
    if (head.closed || ripe) {
      if (!head.closed) lingered = true;
      request.add(queue, head);
      if (request.full) return { queues: request.queues, wakeAtMs: nowMs };
      continue;
    }
    filling.push(queue);
    fillingRecords += head.count;
    wakeAtMs = Math.min(wakeAtMs, lingerEndMs);
  }
  if (!fullOnly && (lingered || fillingRecords >= limits.batchSize)) {
    for (const queue of filling) request.add(queue, queue.waiting[0]!);
  }
  return { queues: request.queues, wakeAtMs };
}

class Request {
  readonly queues: PartitionQueue[] = [];
  readonly #limits: RequestLimits;
  #records = 0;
  #bytes = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  get full(): boolean {
    return this.#records >= this.#limits.batchSize;
  }

  /** Add the queue's first batch, if it fits; the first one always does. */
  add(queue: PartitionQueue, batch: Batch): void {
    const records = this.#records + batch.count;
    const bytes = this.#bytes + batch.byteLength;
    const fits = records <= this.#limits.batchSize && bytes <= this.#limits.requestBytes;
    if (!fits && this.queues.length > 0) return;
    this.queues.push(queue);
    this.#records = records;
    this.#bytes = bytes;
  }
}
