import assert from "node:assert/strict";
import { lz4Decompress } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { CODECS } from "../../../../plugins/sink_kafka/record/compression.ts";
import { xerialBlocks } from "../../../support/xerial.ts";

const TEXT = Buffer.from(
  JSON.stringify(Array.from({ length: 3_000 }, (_, i) => ({ order: `ord-${i % 97}`, total: i }))),
);
const SAMPLES = [
  Buffer.alloc(0),
  Buffer.from("x"),
  TEXT,
  Buffer.from(crypto.getRandomValues(new Uint8Array(50_000))),
];

/** The content of xerial's framing, in blocks no larger than the Java client's. */
function unframed(bytes: Uint8Array): Buffer {
  const blocks = xerialBlocks(bytes);
  assert.ok(blocks.every(({ length }) => length <= 32_768));
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
