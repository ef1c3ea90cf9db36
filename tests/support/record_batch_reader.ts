/**
 * Reads record batches as a broker does, by nothing of the encoder under test.
 *
 * @module
 */

import { crc32c, lz4Decompress } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { xerialBlocks } from "./xerial.ts";

/** A record as it stands in a batch. */
export interface ReadRecord {
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
}

/** A record batch, read. */
export interface ReadBatch {
  readonly codec: string;
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
  readonly maxTimestamp: number;
  readonly records: readonly ReadRecord[];
}

/** By the low bits of the attributes. */
const CODECS: readonly (readonly [name: string, decompress: (bytes: Buffer) => Uint8Array])[] = [
  ["none", (bytes) => bytes],
  ["gzip", gunzipSync],
  ["snappy", (bytes) => Buffer.concat(xerialBlocks(bytes))],
  ["lz4", lz4Decompress],
  ["zstd", zstdDecompressSync],
];

/** Read a batch. @throws Error when it is damaged */
export function readBatch(bytes: Uint8Array): ReadBatch {
  const buffer = Buffer.from(bytes);
  expectHeader("length", buffer.readInt32BE(8), buffer.length - 12);
  expectHeader("base offset", buffer.readBigInt64BE(0), 0n);
  expectHeader("leader epoch", buffer.readInt32BE(12), -1);
  expectHeader("version", buffer.readInt8(16), 2);
  expectHeader("CRC", buffer.readUInt32BE(17), crc32c(buffer.subarray(21)));
  // Beyond the codec, attributes would say that it belongs to a transaction, is a control batch, or has the broker's time.
  const codec = CODECS[buffer.readInt16BE(21)];
  if (codec === undefined) throw new Error("Cannot read the batch: its attributes are wrong");
  const count = buffer.readInt32BE(57);
  expectHeader("last offset", buffer.readInt32BE(23), count - 1);
  const reader = { buffer: Buffer.from(codec[1](buffer.subarray(61))), at: 0 };
  const base = Number(buffer.readBigInt64BE(27));
  const records = Array.from({ length: count }, (_, i) => readRecord(reader, base, i));
  if (reader.at !== reader.buffer.length) throw new Error("Cannot read the batch: bytes are left over");
  return {
    codec: codec[0],
    producerId: buffer.readBigInt64BE(43),
    epoch: buffer.readInt16BE(51),
    sequence: buffer.readInt32BE(53),
    maxTimestamp: Number(buffer.readBigInt64BE(35)),
    records,
  };
}

function expectHeader<Value>(what: string, value: Value, wanted: Value): void {
  if (value !== wanted) throw new Error(`Cannot read the batch: its ${what} is ${value}, expected ${wanted}`);
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
  const headerCount = readVarint(reader);
  if (headerCount < 0) throw new Error("Cannot read the record: it has a negative number of headers");
  const headers = Array.from(
    { length: headerCount },
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
