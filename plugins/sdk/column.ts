/**
 * Columns: many byte strings in one buffer.
 *
 * Messages travel as columns, never as an object per message: a page of thousands of messages is then a
 * handful of typed arrays, which cross a Worker's border as transferred buffers.
 *
 * @module
 */

/** The start that marks a value as NULL in {@link Column.ranges}. */
export const NULL_RANGE = 0xffff_ffff;

/**
 * Byte strings in one buffer.
 *
 * Value `i` is `bytes.subarray(ranges[2 * i], ranges[2 * i + 1])`, or NULL when `ranges[2 * i]` is
 * {@link NULL_RANGE}. Two values may share bytes: a header list that is equal for a whole page stands there
 * once. Bytes between values have no meaning.
 */
export interface Column {
  /** The bytes of all values. Owns its buffer: a column is transferred whole. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Start and end of each value in {@link Column.bytes}: `2 * count` numbers. */
  readonly ranges: Uint32Array<ArrayBuffer>;
}

const ENCODER = new TextEncoder();
// A byte order mark at the start of a key is part of it.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Number of values in a column. */
export function columnLength(column: Column): number {
  return column.ranges.length / 2;
}

/** The bytes of value `i` (a view, not a copy), or `null`. */
export function valueAt(column: Column, i: number): Uint8Array<ArrayBuffer> | null {
  const start = column.ranges[2 * i]!;
  return start === NULL_RANGE ? null : column.bytes.subarray(start, column.ranges[2 * i + 1]!);
}

/** Value `i` decoded from UTF-8, or `null`. */
export function textAt(column: Column, i: number): string | null {
  const value = valueAt(column, i);
  return value === null ? null : DECODER.decode(value);
}

/**
 * A column of the given values.
 *
 * @example Build and read a column
 * ```ts
 * import { columnOf, textAt } from "@pg-tide/sdk";
 * import assert from "node:assert/strict";
 *
 * const column = columnOf(["a", null, "ü"]);
 * assert.equal(textAt(column, 1), null);
 * assert.equal(textAt(column, 2), "ü");
 * ```
 */
export function columnOf(values: readonly (string | Uint8Array | null)[]): Column {
  const builder = new ColumnBuilder(values.length, 0);
  for (const value of values) {
    if (value === null) builder.appendNull();
    else if (typeof value === "string") builder.appendText(value);
    else builder.append(value);
  }
  return builder.finish();
}

/** A column of `count` NULLs. */
export function nullColumn(count: number): Column {
  return { bytes: new Uint8Array(0), ranges: new Uint32Array(2 * count).fill(NULL_RANGE) };
}

/** Builds a column value by value, growing its buffer as needed. */
export class ColumnBuilder {
  #bytes: Uint8Array<ArrayBuffer>;
  #used = 0;
  #ranges: Uint32Array<ArrayBuffer>;
  #count = 0;

  /**
   * Begin a column.
   *
   * @param count how many values will be appended at most
   * @param byteHint how many bytes they probably need
   */
  constructor(count: number, byteHint = 64 * count) {
    this.#bytes = new Uint8Array(byteHint);
    this.#ranges = new Uint32Array(2 * count);
  }

  /** Bytes appended so far. */
  get byteLength(): number {
    return this.#used;
  }

  /** Append a value by copying `value`. */
  append(value: Uint8Array): void {
    const start = this.#reserve(value.length);
    this.#bytes.set(value, start);
    this.#range(start, this.#used);
  }

  /** Append a text as UTF-8. */
  appendText(value: string): void {
    const start = this.#used;
    this.#grow(3 * value.length);
    this.#used += ENCODER.encodeInto(value, this.#bytes.subarray(start)).written;
    this.#range(start, this.#used);
  }

  /** Append NULL. */
  appendNull(): void {
    this.#range(NULL_RANGE, NULL_RANGE);
  }

  /** Append the value that was appended last once more, sharing its bytes. */
  repeat(): void {
    this.#range(this.#ranges[2 * this.#count - 2]!, this.#ranges[2 * this.#count - 1]!);
  }

  /** The column. The builder must not be used afterwards. */
  finish(): Column {
    const whole = this.#ranges.length === 2 * this.#count;
    return {
      bytes: this.#bytes.subarray(0, this.#used),
      ranges: whole ? this.#ranges : this.#ranges.slice(0, 2 * this.#count),
    };
  }

  #reserve(length: number): number {
    const start = this.#used;
    this.#grow(length);
    this.#used += length;
    return start;
  }

  #grow(length: number): void {
    const needed = this.#used + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length, 256));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
  }

  #range(start: number, end: number): void {
    this.#ranges[2 * this.#count] = start;
    this.#ranges[2 * this.#count + 1] = end;
    this.#count++;
  }
}
