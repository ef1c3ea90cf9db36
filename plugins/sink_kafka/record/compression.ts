/**
 * The codecs of Kafka's record batches.
 *
 * Each is one function from bytes to bytes, called in one place (when a batch is sealed).
 *
 * @module
 */

import { lz4Compress, snappyCompress } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import type { Compression } from "../config/producer.ts";

/** How the records of a batch are compressed. */
export interface Codec {
  /** The three low bits of the batch's attributes. */
  readonly attribute: number;
  /** The compressed bytes in a buffer of their own; absent for "none", which leaves the records where they are. */
  readonly compress?: (records: Uint8Array) => Uint8Array;
}

/** The codec of each value of `compression`, at its own level. */
export const CODECS: Readonly<Record<Compression, Codec>> = {
  none: { attribute: 0 },
  gzip: gzip(6),
  snappy: { attribute: 2, compress: compressSnappy },
  lz4: { attribute: 3, compress: (records) => lz4Compress(asBuffer(records)) },
  // Level 1: rows of JSON came out as small as with level 3, zstd's own default, in half of the time (prose a seventh larger).
  zstd: zstd(1),
};

/** The codec of a value of `compression` at `compression_level`, or at its own level when that is not set. */
export function codecOf(compression: Compression, level?: number): Codec {
  if (level === undefined) return CODECS[compression];
  switch (compression) {
    case "gzip":
      return gzip(level);
    case "zstd":
      return zstd(level);
    default:
      throw new RangeError(`Cannot set the level of ${compression}: ${level}, expected gzip or zstd`);
  }
}

function gzip(level: number): Codec {
  return { attribute: 1, compress: (records) => zlib.gzipSync(records, { level }) };
}

function zstd(level: number): Codec {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
  return {
    attribute: 4,
    compress(records) {
      // With the size known in advance the context is not made larger than this batch needs.
      const options = { params, pledgedSrcSize: records.length };
      return zlib.zstdCompressSync(records, options);
    },
  };
}

/**
 * What xerial's snappy-java, which Kafka's Java client writes with, puts before its blocks: a magic word, its version
 * and the oldest version that can read it. Bare snappy without it is read by most clients, but not by all.
 */
const XERIAL_HEADER = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1);

/** The most uncompressed bytes in one block of xerial's framing: what the Java client writes. */
const XERIAL_BLOCK_BYTES = 32 * 1024;

/** Snappy in xerial's framing: the header, then blocks, each after its length. */
function compressSnappy(records: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [XERIAL_HEADER];
  for (let at = 0; at < records.length; at += XERIAL_BLOCK_BYTES) {
    const block = snappyCompress(asBuffer(records.subarray(at, at + XERIAL_BLOCK_BYTES)));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** The same bytes as Node's type. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
