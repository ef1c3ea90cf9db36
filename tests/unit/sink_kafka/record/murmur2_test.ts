import assert from "node:assert/strict";
import { murmur2 } from "../../../../plugins/sink_kafka/record/murmur2.ts";

const ENCODER = new TextEncoder();

/** The first six are those of Kafka's own `UtilsTest.testMurmur2`; the others were checked against its producer. */
const VECTORS: readonly (readonly [key: string, hash: number])[] = [
  ["21", -973_932_308],
  ["foobar", -790_332_482],
  ["a-little-bit-long-string", -985_981_536],
  ["a-little-bit-longer-string", -1_486_304_829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971],
  ["abc", 479_470_107],
  ["", 275_646_681],
  ["1", -1_993_445_489],
  ["42", 417_700_972],
  ['{"id":1}', -56_768_732],
  ["é", 186_971_271],
];

Deno.test("murmur2() gives the hashes of Kafka's Java client", () => {
  for (const [key, hash] of VECTORS) assert.equal(murmur2(ENCODER.encode(key)), hash, key);
});

Deno.test("murmur2() hashes a part of a buffer as if it were alone", () => {
  for (const [key, hash] of VECTORS) {
    const bytes = ENCODER.encode(`\u0000${key}ÿÿÿÿ`);
    assert.equal(murmur2(bytes, 1, 1 + ENCODER.encode(key).length), hash, key);
  }
});
