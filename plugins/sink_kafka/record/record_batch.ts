/**
 * Kafka's record batches, version 2, written in one pass from the columns of a page.
 *
 * A batch is a header of {@link BATCH_HEADER_BYTES} bytes and records, compressed together. A record is its length,
 * attributes (none), the difference of its timestamp and of its offset to the first record's, key, value and headers; all
 * numbers are zigzag varints, and a length of -1 means null. Header lists have this very encoding already, so they
 * are copied as they stand.
 *
 * @module
 */

import { NULL_RANGE, type RecordPage, varintLength, writeVarint } from "@pg-tide/sdk";
import type { Codec } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { varlongLength, writeVarlong } from "./varlong.ts";

/** Bytes before the first record of a batch. */
export const BATCH_HEADER_BYTES = 61;

/** Where the fields of a batch's header stand. */
const AT = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const;

/** The most bytes of a batch: its length is a signed 32-bit number. */
const BATCH_BYTES_MAX = 0x7fff_ffff;

/** Up to this length a loop copies faster than making a view for `set`. */
const SHORT_COPY_BYTES = 24;

/** Who wrote a batch and which of its records comes first; makes repetitions known to the broker. */
export interface Stamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/** The stamp of a producer that is not idempotent. */
export const NO_STAMP: Stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1 };

/** Writes the records of one batch. */
export class RecordBatchBuilder {
  #bytes: Uint8Array<ArrayBuffer>;
  #used = BATCH_HEADER_BYTES;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;

  /** @param bytes memory to write into; replaced by more when it does not suffice */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  /** Number of records. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the batch as it is now, uncompressed, with its header. */
  get byteLength(): number {
    return this.#used;
  }

  /** The memory in use, to be used again when the batch is done. */
  get memory(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /**
   * Append record `i` of `page`, unless the batch would then have more than `limit` bytes. The first record is always
   * taken, whatever its size.
   *
   * @param timestampMs the record's timestamp in whole milliseconds since 1970
   * @returns whether the record was taken
   * @throws RangeError when it is larger than the format can say
   */
  append(page: RecordPage, i: number, timestampMs: number, limit: number): boolean {
    const { key, value, headers } = page;
    const keyStart = key.ranges[2 * i]!;
    const valueStart = value.ranges[2 * i]!;
    const headersStart = headers.ranges[2 * i]!;
    const keyLength = keyStart === NULL_RANGE ? -1 : key.ranges[2 * i + 1]! - keyStart;
    const valueLength = valueStart === NULL_RANGE ? -1 : value.ranges[2 * i + 1]! - valueStart;
    const headersLength = headersStart === NULL_RANGE ? 0 : headers.ranges[2 * i + 1]! - headersStart;
    const delta = this.#count === 0 ? 0 : timestampMs - this.#baseTimestamp;
    const length = 1 + varlongLength(delta) + varintLength(this.#count) + varintLength(keyLength) +
      Math.max(0, keyLength) + varintLength(valueLength) + Math.max(0, valueLength) +
      Math.max(1, headersLength);
    const needed = this.#used + varintLength(length) + length;
    if (needed > limit && this.#count > 0) return false;
    if (needed > this.#bytes.length) this.#grow(needed);

    const bytes = this.#bytes;
    let at = writeVarint(bytes, this.#used, length);
    bytes[at++] = 0;
    at = writeVarlong(bytes, at, delta);
    at = writeVarint(bytes, at, this.#count);
    at = writeVarint(bytes, at, keyLength);
    if (keyLength > 0) at = copy(bytes, at, key.bytes, keyStart, keyLength);
    at = writeVarint(bytes, at, valueLength);
    if (valueLength > 0) at = copy(bytes, at, value.bytes, valueStart, valueLength);
    if (headersLength > 0) at = copy(bytes, at, headers.bytes, headersStart, headersLength);
    else bytes[at++] = 0;
    this.#used = at;
    this.#stampTime(timestampMs);
    this.#count++;
    return true;
  }

  /**
   * The finished batch but for its {@link stamp}. With a codec it has memory of its own, without one it is a view of
   * {@link RecordBatchBuilder.memory}.
   */
  seal(codec: Codec): Uint8Array<ArrayBuffer> {
    const batch = this.#body(codec);
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    view.setBigInt64(0, 0n);
    view.setInt32(AT.length, batch.length - AT.leaderEpoch);
    view.setInt32(AT.leaderEpoch, -1);
    view.setInt8(AT.magic, 2);
    view.setInt16(AT.attributes, codec.attribute);
    view.setInt32(AT.lastOffsetDelta, this.#count - 1);
    view.setBigInt64(AT.baseTimestamp, BigInt(this.#baseTimestamp));
    view.setBigInt64(AT.maxTimestamp, BigInt(this.#maxTimestamp));
    view.setInt32(AT.count, this.#count);
    return batch;
  }

  #body(codec: Codec): Uint8Array<ArrayBuffer> {
    if (codec.compress === undefined) return this.#bytes.subarray(0, this.#used);
    const compressed = codec.compress(this.#bytes.subarray(BATCH_HEADER_BYTES, this.#used));
    const batch = new Uint8Array(BATCH_HEADER_BYTES + compressed.length);
    batch.set(compressed, BATCH_HEADER_BYTES);
    return batch;
  }

  #stampTime(timestampMs: number): void {
    if (this.#count === 0) {
      this.#baseTimestamp = timestampMs;
      this.#maxTimestamp = timestampMs;
    } else if (timestampMs > this.#maxTimestamp) {
      this.#maxTimestamp = timestampMs;
    }
  }

  #grow(needed: number): void {
    if (needed > BATCH_BYTES_MAX) {
      throw new RangeError(
        `Cannot append the record: its batch would have ${needed} bytes, expected at most ${BATCH_BYTES_MAX}`,
      );
    }
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
  }
}

/** Write `stamp` into a sealed batch, and the checksum, which covers it. */
export function stampBatch(batch: Uint8Array, stamp: Stamp): void {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  view.setBigInt64(AT.producerId, stamp.producerId);
  view.setInt16(AT.producerEpoch, stamp.producerEpoch);
  view.setInt32(AT.baseSequence, stamp.baseSequence);
  view.setUint32(AT.crc, crc32c(batch, AT.attributes));
}

function copy(target: Uint8Array, at: number, source: Uint8Array, start: number, length: number): number {
  if (length <= SHORT_COPY_BYTES) {
    for (let i = 0; i < length; i++) target[at + i] = source[start + i]!;
  } else {
    target.set(source.subarray(start, start + length), at);
  }
  return at + length;
}
