/**
 * The numbers by which a broker knows a batch that it has already written.
 *
 * Each partition counts the records of one producer (an id and an epoch) from 0. The broker takes a batch only when it follows the
 * last one without a gap, remembers the last five batches, and acknowledges one of those again without writing it. A batch is
 * therefore sent again with the numbers it had.
 *
 * Numbers are never given to other records: a request with the old ones may still be on its way, on a connection that was lost,
 * and the broker would take the one for the other. When a gap would be left, or the broker has lost the count, the partition
 * starts again at 0 with a higher epoch, by which requests of the old one are refused.
 *
 * @module
 */

import type { Producer } from "../cluster/cluster_port.ts";
import type { Stamp } from "../record/record_batch.ts";

/** Most batches of one partition in flight: how many the broker remembers. */
export const WINDOW = 5;

/** Sequence numbers start at 0 again after this many. */
const SEQUENCE_END = 0x8000_0000;

/** The highest epoch; the one after it needs a new producer id. */
const EPOCH_MAX = 0x7fff;

/**
 * How long after an acknowledgement the broker is trusted to know the producer, in milliseconds. Its own default is a
 * day (`producer.id.expiration.ms`).
 */
const KNOWN_FOR_MS = 60_000;

/** The number after those of a batch of `count` records that starts with `sequence`. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCE_END;
}

/** The sequence numbers of one partition. */
export class PartitionSequence {
  #producer: Producer;
  #next = 0;
  #knownUntilMs = -Infinity;
  #broken = false;

  constructor(producer: Producer) {
    this.#producer = producer;
  }

  /** The sequence number of the next new batch. */
  get next(): number {
    return this.#next;
  }

  /** The producer it counts for; the epoch is the partition's own. */
  get producer(): Producer {
    return this.#producer;
  }

  /**
   * How many batches may be in flight.
   *
   * One until the broker has acknowledged something: while it knows nothing of a producer it accepts any first
   * number, so that a second batch would be written although the first one was refused, out of order.
   */
  window(nowMs: number): number {
    return nowMs < this.#knownUntilMs ? WINDOW : 1;
  }

  /** The first number for a new batch of `count` records. */
  assign(count: number): number {
    if (this.#broken) this.#restart();
    const sequence = this.#next;
    this.#next = sequenceAfter(sequence, count);
    return sequence;
  }

  /** The stamp of a batch that has numbers already. */
  stampAt(baseSequence: number): Stamp {
    return { producerId: this.#producer.id, producerEpoch: this.#producer.epoch, baseSequence };
  }

  /** The leader has changed, or may have: whether it knows the producer shows when it acknowledges something. */
  doubt(): void {
    this.#knownUntilMs = -Infinity;
  }

  /** The broker acknowledged a batch of `producer`: it knows that one now. */
  acknowledged(producer: Producer | undefined, nowMs: number): void {
    if (producer === this.#producer) this.#knownUntilMs = nowMs + KNOWN_FOR_MS;
  }

  /** The count cannot go on: start again with a higher epoch at the next new batch. */
  abandon(): void {
    this.#broken = true;
  }

  /** Whether the next new batch starts again. What has the old numbers must be acknowledged before it is sent. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Whether the epochs of this producer are used up when it has to start again. */
  get exhausted(): boolean {
    return this.#broken && this.#producer.epoch >= EPOCH_MAX;
  }

  /** Count for another producer, from 0. */
  adopt(producer: Producer): void {
    this.#producer = producer;
    this.#reset();
  }

  #restart(): void {
    this.#producer = { id: this.#producer.id, epoch: this.#producer.epoch + 1 };
    this.#reset();
  }

  #reset(): void {
    this.#next = 0;
    this.#knownUntilMs = -Infinity;
    this.#broken = false;
  }
}
