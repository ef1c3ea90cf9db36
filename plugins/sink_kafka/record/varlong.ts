/**
 * Zigzag varints beyond 32 bits, for timestamps.
 *
 * @module
 */

const TWO_32 = 0x1_0000_0000;

/** How many bytes {@link writeVarlong} needs for `value`, an integer of at most 53 bits. */
export function varlongLength(value: number): number {
  let rest = zigzag(value);
  let length = 1;
  while (rest > 0x7f) {
    rest = Math.floor(rest / 128);
    length++;
  }
  return length;
}

/** Write `value`, an integer below 2^52 in size, zigzag-encoded as a varint at `at`; returns the position after it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  let rest = zigzag(value);
  while (rest >= TWO_32) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** 0, -1, 1, -2, … as 0, 1, 2, 3, …; by arithmetic, because shifts cut to 32 bits. */
function zigzag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1;
}
