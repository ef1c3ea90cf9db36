/**
 * Which partition a record goes to, as Kafka's Java client decides it.
 *
 * @module
 */

import { murmur2 } from "./murmur2.ts";

/**
 * The partition of a record with the key `bytes[start..end)`.
 *
 * The sign of the hash is cut off by a mask, not by `Math.abs`, and all partitions count, also those without a leader: so
 * consumers find a key where a Java producer would have put it. An empty key is a key.
 *
 * @param count number of partitions of the topic, at least 1
 */
export function partitionOfKey(bytes: Uint8Array, start: number, end: number, count: number): number {
  return (murmur2(bytes, start, end) & 0x7fff_ffff) % count;
}

/**
 * Partitions for records without a key: one partition for as many records as a batch holds, or until its batch is closed,
 * then another one at random.
 *
 * Going round for every record would make a batch per partition of a few records each; waiting for full batches alone would
 * leave a trickle of records on one partition for ever.
 */
export class StickyPartition {
  readonly #random: () => number;
  readonly #records: number;
  #current = -1;
  #left = 0;

  /**
   * @param random a number in `[0, 1)`
   * @param records how many records a partition gets in a row
   */
  constructor(random: () => number, records: number) {
    this.#random = random;
    this.#records = records;
  }

  /** The partition of the next record, in a topic with `count` partitions. */
  next(count: number): number {
    if (this.#left === 0 || this.#current >= count) this.#move(count);
    this.#left--;
    return this.#current;
  }

  /** The batch of `partition` was closed: use another one from now on. */
  closed(partition: number): void {
    if (this.#current === partition) this.#left = 0;
  }

  /** Go to another partition, if there is one. */
  #move(count: number): void {
    const before = this.#current < count ? this.#current : -1;
    const others = before < 0 || count === 1 ? count : count - 1;
    const drawn = Math.min(others - 1, Math.floor(this.#random() * others));
    this.#current = others < count && drawn >= before ? drawn + 1 : drawn;
    this.#left = this.#records;
  }
}
