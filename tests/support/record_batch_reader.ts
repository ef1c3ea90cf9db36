/**
 * Reads record batches as a broker does, by nothing of the encoder under test.
 *
 * @module
 */

import { crc32c } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";

/** An uncompressed record batch, read. */
export interface ReadBatch {
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
  readonly records: readonly { readonly key: string | null; readonly value: string | null }[];
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
  const records = Array.from({ length: count }, () => readRecord(reader));
  if (reader.at !== buffer.length) throw new Error("Cannot read the batch: bytes are left over");
  return {
    producerId: buffer.readBigInt64BE(43),
    epoch: buffer.readInt16BE(51),
    sequence: buffer.readInt32BE(53),
    records,
  };
}

interface Reader {
  readonly buffer: Buffer;
  at: number;
}

function readRecord(reader: Reader) {
  const end = readVarint(reader) + reader.at;
  reader.at++;
  readVarint(reader);
  readVarint(reader);
  const key = readText(reader);
  const value = readText(reader);
  reader.at = end;
  return { key, value };
}

function readText(reader: Reader): string | null {
  const length = readVarint(reader);
  if (length < 0) return null;
  reader.at += length;
  return reader.buffer.toString("utf8", reader.at - length, reader.at);
}

function readVarint(reader: Reader): number {
  let value = 0n;
  for (let shift = 0n;; shift += 7n) {
    const byte = reader.buffer.readUInt8(reader.at++);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
  }
}
