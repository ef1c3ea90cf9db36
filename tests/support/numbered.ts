/**
 * Records that are counted per key, and what a topic must hold when all of them were delivered.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { RecordDraft } from "./kafka_sink.ts";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A record as it was read back. */
export interface WrittenRecord {
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** How {@link NumberedRecords} are made. */
export interface NumberedOptions {
  /** How many different keys. @default 23 */
  readonly keys?: number;
  /** How the keys begin, so that several sets can share a topic. @default "key" */
  readonly prefix?: string;
  /** Characters of each value beside its number. @default 60 */
  readonly fill?: number;
}

/** Makes records whose values count from 0 for each key. */
export class NumberedRecords {
  readonly #next = new Map<string, number>();
  readonly #keys: number;
  readonly #prefix: string;
  readonly #filler: string;
  #count = 0;

  constructor({ keys = 23, prefix = "key", fill = 60 }: NumberedOptions = {}) {
    this.#keys = keys;
    this.#prefix = prefix;
    this.#filler = "x".repeat(fill);
  }

  /** Records made so far. */
  get count(): number {
    return this.#count;
  }

  /** The next records. */
  take(count: number): RecordDraft[] {
    return Array.from({ length: count }, () => {
      const key = `${this.#prefix}-${this.#count++ * 7919 % this.#keys}`;
      const n = this.#next.get(key) ?? 0;
      this.#next.set(key, n + 1);
      return { key, value: ENCODER.encode(`${n} ${this.#filler}`) };
    });
  }

  /** Check that every record is in the topic exactly once, in order per key. */
  assertExactlyOnce(records: readonly WrittenRecord[]): void {
    for (const [key, numbers] of this.#numbersOf(records)) {
      assert.deepEqual(numbers, this.#expected(key), `the numbers of ${key}`);
    }
  }

  /**
   * Check that every record is in the topic, in order per key. A record may stand there again, but never before an earlier one
   * stands there for the first time.
   *
   * @returns how many records stand there more than once
   */
  assertInOrder(records: readonly WrittenRecord[]): number {
    for (const [key, numbers] of this.#numbersOf(records)) {
      assert.deepEqual(
        [...new Set(numbers)],
        this.#expected(key),
        `the numbers of ${key}, each where it stands first`,
      );
    }
    const own = records.filter(({ key }) => this.#next.has(DECODER.decode(key!)));
    return own.length - this.#count;
  }

  /**
   * Check a topic that got other partitions, or was deleted and created again: it holds the last records of each key, all of them
   * from some number on, and each partition has its share of them in order and without a gap. In between, a key may have moved
   * to another partition.
   *
   * @param whole whether not even the first record of a key may be missing
   * @param seam how many of the first records of a key in a partition may stand there in any order
   * @returns how many records stand there more than once
   */
  assertInParts(records: readonly WrittenRecord[], whole: boolean, seam = 0): number {
    let repeated = 0;
    for (const [key, parts] of this.#partsOf(records)) {
      const shares = parts.map((numbers) => [...new Set(numbers)]);
      for (const share of shares) {
        const first = share.slice(0, seam).toSorted((one, other) => one - other);
        const inOrder = [...first, ...share.slice(seam)];
        assert.deepEqual(
          inOrder,
          inOrder.map((_, i) => inOrder[0]! + i),
          `the numbers of ${key} in a partition`,
        );
      }
      const all = shares.flat().toSorted((one, other) => one - other);
      const first = whole ? 0 : all[0] ?? 0;
      assert.deepEqual(all, this.#expected(key).slice(first), `the numbers of ${key} in all partitions`);
      repeated += parts.flat().length - all.length;
    }
    return repeated;
  }

  #expected(key: string): number[] {
    return Array.from({ length: this.#next.get(key)! }, (_, n) => n);
  }

  /** The numbers of each key, as they stand in its partition. */
  #numbersOf(records: readonly WrittenRecord[]): ReadonlyMap<string, readonly number[]> {
    return new Map([...this.#partsOf(records)].map(([key, parts]) => {
      assert.ok(parts.length <= 1, `${key} is in one partition`);
      return [key, parts[0] ?? []];
    }));
  }

  /** The numbers of each key, as they stand in each of its partitions. */
  #partsOf(records: readonly WrittenRecord[]): ReadonlyMap<string, readonly (readonly number[])[]> {
    const parts = new Map([...this.#next.keys()].map((key) => [key, new Map<number, number[]>()]));
    for (const { key, value, partition } of records) {
      const own = parts.get(DECODER.decode(key!));
      if (own === undefined) continue;
      const numbers = own.get(partition) ?? [];
      own.set(partition, numbers);
      numbers.push(parseInt(DECODER.decode(value!)));
    }
    return new Map([...parts].map(([key, own]) => [key, [...own.values()]]));
  }
}
