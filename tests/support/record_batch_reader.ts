/**
 * Reads record batches as a broker does, by nothing of the encoder under test.
 *
 * @module
 */

import { crc32c } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";

/** A record as it stands in a batch. */
export interface ReadRecord {
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
}

/** An uncompressed record batch, read. */
export interface ReadBatch {
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
  readonly maxTimestamp: number;
  readonly records: readonly ReadRecord[];
}

/** Read a batch. @throws Error when it is damaged */
export function readBatch(bytes: Uint8Array): ReadBatch {
  const buffer = Buffer.from(bytes);
  if (buffer.readInt32BE(8) !== buffer.length - 12) {
    throw new Error("Cannot read the batch: its length is wrong");
  }
  if (buffer.readInt8(16) !== 2) throw new Error("Cannot read the batch: expected version 2");
  if (buffer.readUInt32BE(17) !== crc32c(buffer.subarray(21))) {
    throw new Error("Cannot read the batch: its CRC is wrong");
  }
  const count = buffer.readInt32BE(57);
  const reader = { buffer, at: 61 };
  const base = Number(buffer.readBigInt64BE(27));
  const records = Array.from({ length: count }, (_, i) => readRecord(reader, base, i));
  if (buffer.readInt32BE(23) !== count - 1) {
    throw new Error("Cannot read the batch: its last offset is wrong");
  }
  if (reader.at !== buffer.length) throw new Error("Cannot read the batch: bytes are left over");
  return {
    producerId: buffer.readBigInt64BE(43),
    epoch: buffer.readInt16BE(51),
    sequence: buffer.readInt32BE(53),
    maxTimestamp: Number(buffer.readBigInt64BE(35)),
    records,
  };
}

interface Reader {
  readonly buffer: Buffer;
  at: number;
}

function readRecord(reader: Reader, base: number, offset: number): ReadRecord {
  const end = readVarint(reader) + reader.at;
  if (reader.buffer.readUInt8(reader.at++) !== 0) {
    throw new Error("Cannot read the record: it has attributes");
  }
  const timestamp = base + readVarint(reader);
  if (readVarint(reader) !== offset) throw new Error("Cannot read the record: its offset is wrong");
  const key = readBytes(reader);
  const value = readBytes(reader);
  const headers = Array.from(
    { length: readVarint(reader) },
    () => [new TextDecoder().decode(readBytes(reader)!), readBytes(reader)] as const,
  );
  if (reader.at !== end) throw new Error("Cannot read the record: its length is wrong");
  return { timestamp, key, value, headers };
}

function readBytes(reader: Reader): Uint8Array | null {
  const length = readVarint(reader);
  if (length < 0) return null;
  reader.at += length;
  return Uint8Array.from(reader.buffer.subarray(reader.at - length, reader.at));
}

function readVarint(reader: Reader): number {
  let value = 0n;
  for (let shift = 0n;; shift += 7n) {
    const byte = reader.buffer.readUInt8(reader.at++);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
  }
}
