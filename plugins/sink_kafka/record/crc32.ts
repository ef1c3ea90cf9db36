/**
 * CRC-32, the checksum of zlib and Ethernet: librdkafka's hash of keys.
 *
 * @module
 */

/** The reversed polynomial. */
const POLYNOMIAL = 0xedb8_8320;

const TABLE = makeTable();

/** The remainder of each byte. Keys are short: more tables would not pay. */
function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
    table[byte] = rest;
  }
  return table;
}

/**
 * The CRC-32 of `bytes[start..end)`, as an unsigned number.
 *
 * @example The published check value
 * ```ts
 * import { crc32 } from "./crc32.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf4_3926);
 * ```
 */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffff_ffff;
  for (let at = start; at < end; at++) crc = TABLE[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}
