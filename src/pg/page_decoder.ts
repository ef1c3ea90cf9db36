/**
 * From the one row of a page to columns.
 *
 * @module
 */

import { type Column, NULL_RANGE, nullColumn } from "@pg-tide/sdk";
import { invariant } from "../base/invariant.ts";
import type { Page } from "../record/page.ts";

/** The values of a page's row as the driver got them: views into its buffers, or `null`. */
export interface PageRow {
  readonly n: Uint8Array;
  readonly payloads: Uint8Array;
  readonly ids: Uint8Array;
  readonly times: Uint8Array;
  readonly ops: Uint8Array;
  readonly keys: Uint8Array | null;
  readonly keyLengths: Uint8Array;
  readonly headers: Uint8Array | null;
  readonly previous: Uint8Array | null;
}

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;

/** The letters of `tide.message.op`, by index into the SDK's `OPS`. */
const OP_LETTERS = "iudrt";
const OP_CODES = Uint8Array.from({ length: 128 }, (_, byte) => {
  const code = OP_LETTERS.indexOf(String.fromCharCode(byte));
  return code < 0 ? 0xff : code;
});

/** The page in a row, copied out of the driver's buffers; `null` at the end of a phase. */
export function decodePage(row: PageRow): Page | null {
  const page = decodeMessages(row);
  if (page === null) return null;
  const { count, ids } = page;
  for (let i = 1; i < count; i++) invariant(ids[i - 1]! < ids[i]!, "the ids of a page rise");
  return page;
}

/** The same of messages in any order. */
export function decodeMessages(row: PageRow): Page | null {
  const count = parseInteger(row.n, 0, row.n.length);
  if (count === 0) return null;
  return {
    count,
    ids: parseIntegers(row.ids, count),
    createdMs: parseTimes(row.times, count),
    ops: parseOps(row.ops, count),
    dedupKey: keyColumn(row.keys, row.keyLengths, count),
    payload: lineColumn(row.payloads, count),
    headers: row.headers === null ? nullColumn(count) : optionalLineColumn(row.headers, count),
    previous: row.previous === null ? nullColumn(count) : optionalLineColumn(row.previous, count),
  };
}

/** Values with newlines between them. */
function lineColumn(view: Uint8Array, count: number): Column {
  const bytes = copyOf(view);
  const ranges = new Uint32Array(2 * count);
  let start = 0;
  for (let i = 0; i < count; i++) {
    invariant(start <= bytes.length, "a page has a line for each message");
    const found = bytes.indexOf(NEWLINE, start);
    const end = found < 0 ? bytes.length : found;
    ranges[2 * i] = start;
    ranges[2 * i + 1] = end;
    start = end + 1;
  }
  invariant(start === bytes.length + 1, "a page has a line for each message");
  return { bytes, ranges };
}

/** The same, where an empty line is NULL. */
function optionalLineColumn(view: Uint8Array, count: number): Column {
  const column = lineColumn(view, count);
  const { ranges } = column;
  for (let i = 0; i < count; i++) {
    if (ranges[2 * i] === ranges[2 * i + 1]) ranges.fill(NULL_RANGE, 2 * i, 2 * i + 2);
  }
  return column;
}

/** Values one after the other, by their lengths; -1 is NULL. */
function keyColumn(view: Uint8Array | null, lengths: Uint8Array, count: number): Column {
  const bytes = view === null ? new Uint8Array(0) : copyOf(view);
  const ranges = new Uint32Array(2 * count).fill(NULL_RANGE);
  const sizes = parseIntegers(lengths, count);
  let start = 0;
  for (let i = 0; i < count; i++) {
    if (sizes[i]! < 0) continue;
    ranges[2 * i] = start;
    start += sizes[i]!;
    ranges[2 * i + 1] = start;
  }
  invariant(start === bytes.length, "the lengths of a page's keys add up");
  return { bytes, ranges };
}

function parseOps(letters: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  invariant(letters.length === count, "a page has an op for each message");
  const ops = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const code = OP_CODES[letters[i]!] ?? 0xff;
    invariant(code !== 0xff, "the op of a message is known");
    ops[i] = code;
  }
  return ops;
}

/** Whole numbers with commas between them. */
function parseIntegers(view: Uint8Array, count: number): Float64Array<ArrayBuffer> {
  return parseList(view, count, parseInteger);
}

/** Seconds since 1970 with a fraction and commas between them, as milliseconds. */
function parseTimes(view: Uint8Array, count: number): Float64Array<ArrayBuffer> {
  return parseList(view, count, parseTime);
}

function parseList(
  view: Uint8Array,
  count: number,
  parse: (view: Uint8Array, start: number, end: number) => number,
): Float64Array<ArrayBuffer> {
  const numbers = new Float64Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    invariant(at <= view.length, "a page has a number for each message");
    let end = view.indexOf(COMMA, at);
    if (end < 0) end = view.length;
    numbers[i] = parse(view, at, end);
    at = end + 1;
  }
  invariant(at === view.length + 1, "a page has a number for each message");
  return numbers;
}

function parseTime(view: Uint8Array, start: number, end: number): number {
  let dot = start;
  while (dot < end && view[dot] !== DOT) dot++;
  const seconds = parseInteger(view, start, dot);
  if (dot === end) return 1_000 * seconds;
  // Microseconds, whatever the number of digits: PostgreSQL keeps no more.
  let micros = 0;
  for (let i = 1; i <= 6; i++) micros = 10 * micros + (dot + i < end ? digitAt(view, dot + i) : 0);
  // Before 1970 the fraction counts away from zero, like the seconds.
  return 1_000 * seconds + (view[start] === MINUS ? -micros : micros) / 1_000;
}

function parseInteger(view: Uint8Array, start: number, end: number): number {
  const negative = view[start] === MINUS;
  const first = negative ? start + 1 : start;
  invariant(first < end, "a number of a page has a digit");
  let value = 0;
  for (let i = first; i < end; i++) value = 10 * value + digitAt(view, i);
  return negative ? -value : value;
}

function digitAt(view: Uint8Array, at: number): number {
  const digit = view[at]! - ZERO;
  invariant(digit >= 0 && digit <= 9, "a number of a page has digits only");
  return digit;
}

/** The driver's buffers are views into a shared one, and a page's are given away. */
function copyOf(view: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(view.length);
  copy.set(view);
  return copy;
}
