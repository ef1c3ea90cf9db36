import assert from "node:assert/strict";
import { lz4Decompress, snappyDecompress } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { CODECS } from "../../../../plugins/sink_kafka/record/compression.ts";

const TEXT = Buffer.from(
  JSON.stringify(Array.from({ length: 3_000 }, (_, i) => ({ order: `ord-${i % 97}`, total: i }))),
);
const SAMPLES = [
  Buffer.alloc(0),
  Buffer.from("x"),
  TEXT,
  Buffer.from(crypto.getRandomValues(new Uint8Array(50_000))),
];

/** The blocks of xerial's framing. */
function unframed(bytes: Uint8Array): Buffer {
  const buffer = Buffer.from(bytes);
  assert.equal(buffer.subarray(0, 16).toString("hex"), "82534e41505059000000000100000001");
  const blocks: Buffer[] = [];
  for (let at = 16; at < buffer.length;) {
    const length = buffer.readUInt32BE(at);
    blocks.push(snappyDecompress(buffer.subarray(at + 4, at + 4 + length)));
    assert.ok(blocks.at(-1)!.length <= 32_768);
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

const READERS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  gzip: gunzipSync,
  snappy: unframed,
  lz4: (bytes) => lz4Decompress(Buffer.from(bytes)),
  zstd: zstdDecompressSync,
};

Deno.test("CODECS have the numbers of the protocol", () => {
  assert.deepEqual(Object.values(CODECS).map(({ attribute }) => attribute), [0, 1, 2, 3, 4]);
  assert.equal(CODECS.none.compress, undefined);
});

for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`CODECS.${name} makes what is read back, and smaller where it can`, () => {
    const compress = CODECS[name as keyof typeof CODECS].compress!;
    for (const sample of SAMPLES) assert.ok(Buffer.from(read(compress(sample))).equals(sample));
    assert.ok(compress(TEXT).length < TEXT.length / 3);
  });
}
