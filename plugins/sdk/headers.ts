/**
 * Header lists: the headers of a record as one byte string.
 *
 * The encoding is the one of Kafka's record format, so that the Kafka sink copies it as it stands: a zigzag varint with
 * the number of headers, then for each its key (zigzag varint length, UTF-8) and its value (zigzag varint length,
 * -1 for null, bytes).
 *
 * @module
 */

/** One header. */
export type Header = readonly [name: string, value: Uint8Array | string | null];

const ENCODER = new TextEncoder();
// A byte order mark at the start of a key is part of it.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Write `value` zigzag-encoded as a varint at `at`; returns the position after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** How many bytes {@link writeVarint} needs for `value`. */
export function varintLength(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let length = 1;
  while (rest > 0x7f) {
    rest >>>= 7;
    length++;
  }
  return length;
}

/**
 * Encode a header list.
 *
 * @example Round trip
 * ```ts
 * import { decodeHeaders, encodeHeaders } from "@pg-tide/sdk";
 * import assert from "node:assert/strict";
 *
 * const list = encodeHeaders([["pg_tide_op", "insert"]]);
 * const [name, value] = decodeHeaders(list)[0]!;
 * assert.equal(name, "pg_tide_op");
 * assert.equal(new TextDecoder().decode(value!), "insert");
 * ```
 */
export function encodeHeaders(headers: readonly Header[]): Uint8Array<ArrayBuffer> {
  const parts = headers.map(([name, value]) =>
    [ENCODER.encode(name), typeof value === "string" ? ENCODER.encode(value) : value] as const
  );
  const length = parts.reduce((sum, [name, value]) => sum + 10 + name.length + (value?.length ?? 0), 5);
  const bytes = new Uint8Array(length);
  let at = writeVarint(bytes, 0, parts.length);
  for (const [name, value] of parts) {
    at = writeVarint(bytes, at, name.length);
    bytes.set(name, at);
    at = writeVarint(bytes, at + name.length, value === null ? -1 : value.length);
    if (value !== null) {
      bytes.set(value, at);
      at += value.length;
    }
  }
  return bytes.slice(0, at);
}

/** Decode a header list; names and values in order, values as bytes or `null`. */
export function decodeHeaders(list: Uint8Array): [name: string, value: Uint8Array | null][] {
  const reader = { bytes: list, at: 0 };
  const headers: [string, Uint8Array | null][] = [];
  for (let count = readVarint(reader); count > 0; count--) {
    const name = DECODER.decode(take(reader, readVarint(reader)));
    const length = readVarint(reader);
    headers.push([name, length < 0 ? null : take(reader, length)]);
  }
  return headers;
}

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
}

function readVarint(reader: Reader): number {
  let value = 0;
  for (let shift = 0;; shift += 7) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined || shift > 28) {
      throw new RangeError("Cannot decode headers: the list is cut short");
    }
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
  }
}

function take(reader: Reader, length: number): Uint8Array {
  const end = reader.at + length;
  if (length < 0 || end > reader.bytes.length) {
    throw new RangeError("Cannot decode headers: the list is cut short");
  }
  const value = reader.bytes.subarray(reader.at, end);
  reader.at = end;
  return value;
}
