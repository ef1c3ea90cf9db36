import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import { crc32 } from "../../../../plugins/sink_kafka/record/crc32.ts";

Deno.test("crc32() gives the published check values", () => {
  const vectors: Readonly<Record<string, number>> = {
    "": 0,
    "a": 0xe8b7_be43,
    "123456789": 0xcbf4_3926,
    "The quick brown fox jumps over the lazy dog": 0x414f_a339,
  };
  for (const [text, sum] of Object.entries(vectors)) {
    assert.equal(crc32(new TextEncoder().encode(text)), sum, text);
  }
});

Deno.test("crc32() is zlib's, which librdkafka hashes keys with, for any bytes and any part of a buffer", () => {
  for (let length = 0; length < 300; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length + 5));
    assert.equal(crc32(bytes, 2, 2 + length), checksumOf(bytes.subarray(2, 2 + length)));
  }
});

/** The checksum that zlib itself puts at the end of a gzip member. */
function checksumOf(bytes: Uint8Array): number {
  const member = Buffer.from(zlib.gzipSync(bytes));
  return member.readUInt32LE(member.length - 8);
}
