/**
 * The batches of one partition, in order: waiting, in flight, and come back unacknowledged.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";
import type { Batch } from "./batch.ts";
import type { PartitionResult } from "../cluster/produce_api.ts";
import { type PartitionSequence, WINDOW } from "./sequencer.ts";

/** Why a batch came back: the broker's result, or the loss of the connection. */
export type Setback =
  | { readonly kind: "refused"; readonly result: PartitionResult }
  | { readonly kind: "lost"; readonly reason: string };

/** A batch that came back unacknowledged. */
export interface Returned {
  readonly batch: Batch;
  readonly setback: Setback;
}

/** The batches of one partition. */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** The batches to send, oldest first. Only the last one may be open. */
  waiting: Batch[] = [];
  /** The batches that a broker has been sent and has not answered, in the order sent. */
  readonly inFlight: Batch[] = [];
  /** Batches that came back while others are still in flight. Nothing is sent until all have come back. */
  returned: Returned[] = [];
  /** The sequence numbers, if the producer is idempotent. */
  sequence: PartitionSequence | undefined;
  /** The node whose turn it is to take the batches, or -1. */
  node = -1;
  /** Nothing is sent before this time, after a setback. */
  retryAtMs = 0;
  /** Whether another producer id is being fetched for it; nothing is sent meanwhile. */
  renewing = false;
  /** The most bytes of a batch: less than elsewhere when the topic has refused larger ones. */
  batchBytesMax = Infinity;
  /** Since when there has been nobody to send to, or undefined. */
  stalledSinceMs: number | undefined;
  /** Why its leader cannot be reached, while it is stalled by that. */
  stalledBy: Fault | undefined;
  /** Whether that leader could be reached before. */
  reachedBefore = true;
  /** How many batches have been sent, each counted once. */
  #launched = 0;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** The open batch, if there is one. */
  get open(): Batch | undefined {
    const last = this.waiting[this.waiting.length - 1];
    return last === undefined || last.closed ? undefined : last;
  }

  /** Whether its first batch may be sent now, as far as order and pauses are concerned. */
  sendable(nowMs: number): boolean {
    if (this.waiting.length === 0 || this.returned.length > 0) return false;
    if (this.renewing || nowMs < this.retryAtMs) return false;
    const [oldest] = this.inFlight;
    if (oldest === undefined) return true;
    const { sequence } = this;
    if (sequence === undefined || this.inFlight.length >= sequence.window(nowMs)) return false;
    const head = this.waiting[0]!;
    if (head.sequence < 0 && sequence.broken) return false;
    // The oldest may have been written without an acknowledgement. When as many others have been written since as the broker
    // remembers, it could not be told any more from one that was never written.
    return head.ordinal > 0 || this.#launched + 2 - oldest.ordinal <= WINDOW;
  }

  /** Take the first waiting batch into flight. */
  launch(): Batch {
    const batch = this.waiting.shift()!;
    if (batch.ordinal === 0) batch.ordinal = ++this.#launched;
    batch.attempts++;
    this.inFlight.push(batch);
    this.unstall();
    return batch;
  }

  /**
   * Whether it has batches that a broker may have written without saying so, and that are not older than `sinceMs`: then it
   * would be too late to send them again.
   */
  mayBeWritten(sinceMs: number): boolean {
    const isYoung = ({ createdAtMs }: Batch) => createdAtMs > sinceMs;
    return this.inFlight.some(isYoung) || this.returned.some(({ batch }) => isYoung(batch)) ||
      this.waiting.some((batch) => batch.mayBeWritten && isYoung(batch));
  }

  /** There is somebody to send to again. */
  unstall(): void {
    this.stalledSinceMs = undefined;
    this.stalledBy = undefined;
    this.reachedBefore = true;
  }

  /** Forget every batch that is not in flight. */
  clear(): void {
    const numbered = this.returned.length > 0 || this.waiting.some((batch) => batch.sequence >= 0);
    // Whether those batches were written is not known, so their numbers can neither be used again nor left out.
    if (numbered) this.sequence?.abandon();
    this.waiting = [];
    this.returned = [];
    this.retryAtMs = 0;
    this.unstall();
  }
}
