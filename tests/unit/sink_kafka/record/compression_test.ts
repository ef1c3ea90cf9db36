import assert from "node:assert/strict";
import { lz4Decompress } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { codecOf, CODECS } from "../../../../plugins/sink_kafka/record/compression.ts";
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

Deno.test("codecOf() takes the level, and the codec's own without one", () => {
  const sizes = (compression: "gzip" | "zstd", levels: readonly number[]) =>
    levels.map((level) => codecOf(compression, level).compress!(TEXT).length);
  const lengthOf = (compression: "gzip" | "zstd") => codecOf(compression).compress!(TEXT).length;
  const [low, standard, high] = sizes("gzip", [1, 6, 9]);
  assert.ok(low! > standard! && standard! !== high!, `${low} ${standard} ${high}`);
  assert.equal(lengthOf("gzip"), standard);
  const [fast, slow] = sizes("zstd", [1, 19]);
  assert.ok(fast! > slow!, `${fast} ${slow}`);
  assert.equal(lengthOf("zstd"), fast);
  for (const compression of ["gzip", "zstd"] as const) {
    const codec = codecOf(compression, 5);
    assert.equal(codec.attribute, CODECS[compression].attribute);
    assert.ok(Buffer.from(READERS[compression]!(codec.compress!(TEXT))).equals(TEXT));
  }
});

Deno.test("codecOf() refuses a level that the codec does not have", () => {
  for (const compression of ["none", "snappy", "lz4"] as const) {
    assert.throws(() => codecOf(compression, 3), /Cannot set the level of \w+: 3, expected gzip or zstd/);
    assert.equal(codecOf(compression), CODECS[compression]);
  }
});
