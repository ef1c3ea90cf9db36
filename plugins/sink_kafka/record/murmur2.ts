/**
 * MurmurHash2 as Kafka's Java client computes it (`org.apache.kafka.common.utils.Utils.murmur2`).
 *
 * @module
 */

const SEED = 0x9747_b28c;
const M = 0x5bd1_e995;

/**
 * The hash of `bytes[start..end)`, as a signed 32-bit number.
 *
 * @example Kafka's own test vector
 * ```ts
 * import { murmur2 } from "./murmur2.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(murmur2(new TextEncoder().encode("foobar")), -790332482);
 * ```
 */
export function murmur2(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = SEED ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  const left = end - at;
  if (left === 3) hash ^= bytes[at + 2]! << 16;
  if (left >= 2) hash ^= bytes[at + 1]! << 8;
  if (left >= 1) hash = Math.imul(hash ^ bytes[at]!, M);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}
