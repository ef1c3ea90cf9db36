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
 * Partitions for records without a key: one partition until its batch is closed, then another one at random.
 *
 * Going round for every record would make a batch per partition of a few records each.
 */
export class StickyPartition {
  readonly #random: () => number;
  #current: number | undefined;

  /** @param random a number in `[0, 1)` */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** The partition to use now, of a topic with `count` partitions. */
  current(count: number): number {
    if (this.#current === undefined || this.#current >= count) this.#current = this.#draw(count);
    return this.#current;
  }

  /** The batch of `partition` was closed: use another one from now on, if there is one. */
  closed(partition: number, count: number): void {
    if (this.#current !== partition) return;
    const drawn = this.#draw(Math.max(1, count - 1));
    this.#current = count > 1 && drawn >= partition ? drawn + 1 : drawn;
  }

  #draw(count: number): number {
    return Math.min(count - 1, Math.floor(this.#random() * count));
  }
}
