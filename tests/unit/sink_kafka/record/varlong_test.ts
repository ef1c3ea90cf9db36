import fc from "fast-check";
import assert from "node:assert/strict";
import { varlongLength, writeVarlong } from "../../../../plugins/sink_kafka/record/varlong.ts";

function bytesOf(value: number): number[] {
  const bytes = new Uint8Array(12);
  return [...bytes.subarray(0, writeVarlong(bytes, 0, value))];
}

Deno.test("writeVarlong() writes Kafka's zigzag varints", () => {
  const vectors: readonly (readonly [value: number, bytes: readonly number[]])[] = [
    [0, [0x00]],
    [-1, [0x01]],
    [1, [0x02]],
    [63, [0x7e]],
    [-64, [0x7f]],
    [64, [0x80, 0x01]],
    [2_147_483_647, [0xfe, 0xff, 0xff, 0xff, 0x0f]],
    [-2_147_483_648, [0xff, 0xff, 0xff, 0xff, 0x0f]],
    [2_147_483_648, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [1_700_000_000_000, [0x80, 0xa0, 0xab, 0xfe, 0xf9, 0x62]],
  ];
  for (const [value, bytes] of vectors) assert.deepEqual(bytesOf(value), bytes, String(value));
});

Deno.test("writeVarlong() writes what is read back, in as many bytes as varlongLength() says", () => {
  const read = (bytes: readonly number[]) => {
    const raw = bytes.reduce((sum, byte, i) => sum | BigInt(byte & 0x7f) << BigInt(7 * i), 0n);
    return Number((raw >> 1n) ^ -(raw & 1n));
  };
  fc.assert(fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (value) => {
    const bytes = bytesOf(value);
    assert.equal(read(bytes), value);
    assert.equal(bytes.length, varlongLength(value));
  }));
});
