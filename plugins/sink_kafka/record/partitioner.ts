/**
 * Which partition a record goes to, as other Kafka clients decide it.
 *
 * @module
 */

import type { Partitioner } from "../config/producer.ts";
import { crc32 } from "./crc32.ts";
import { murmur2 } from "./murmur2.ts";

/**
 * The partition of a record with the key `bytes[start..end)`, or -1 when the key does not decide: such a record is treated
 * as one without a key.
 *
 * All partitions count, also those without a leader: so consumers find a key where another producer would have put it.
 *
 * @param count number of partitions of the topic, at least 1
 */
export type KeyPartitioner = (bytes: Uint8Array, start: number, end: number, count: number) => number;

/** What each value of `partitioner` does with keys. */
export const PARTITIONERS: Readonly<Record<Partitioner, KeyPartitioner>> = {
  murmur2: partitionByMurmur2,
  consistent: partitionByCrc32,
  random: () => -1,
};

/**
 * As the Java client: the sign of the hash is cut off by a mask, not by `Math.abs`. An empty key is a key.
 */
function partitionByMurmur2(bytes: Uint8Array, start: number, end: number, count: number): number {
  return (murmur2(bytes, start, end) & 0x7fff_ffff) % count;
}

/** As librdkafka's `consistent_random`, for which an empty key is none. */
function partitionByCrc32(bytes: Uint8Array, start: number, end: number, count: number): number {
  return start === end ? -1 : crc32(bytes, start, end) % count;
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
  #count = 0;
  #preferred: readonly number[] | undefined;
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

  /**
   * The partition of the next record.
   *
   * @param count number of partitions of the topic, at least 1
   * @param preferred the partitions to choose from, at least one; all when undefined. Compared by identity: every record asks
   */
  next(count: number, preferred?: readonly number[]): number {
    if (count !== this.#count || preferred !== this.#preferred) this.#adopt(count, preferred);
    if (this.#left === 0) this.#move();
    this.#left--;
    return this.#current;
  }

  /** The batch of `partition` was closed: use another one from now on. */
  closed(partition: number): void {
    if (this.#current === partition) this.#left = 0;
  }

  /** Choose from other partitions, and stay where it is as long as that is among them. */
  #adopt(count: number, preferred: readonly number[] | undefined): void {
    this.#count = count;
    this.#preferred = preferred;
    const stays = this.#current < count && preferred?.includes(this.#current) !== false;
    if (stays) return;
    this.#current = -1;
    this.#left = 0;
  }

  /** Go to another partition, if there is one. */
  #move(): void {
    const size = this.#preferred?.length ?? this.#count;
    const before = this.#preferred?.indexOf(this.#current) ?? this.#current;
    const others = before < 0 || size === 1 ? size : size - 1;
    const drawn = Math.min(others - 1, Math.floor(this.#random() * others));
    const at = others < size && drawn >= before ? drawn + 1 : drawn;
    this.#current = this.#preferred?.[at] ?? at;
    this.#left = this.#records;
  }
}
