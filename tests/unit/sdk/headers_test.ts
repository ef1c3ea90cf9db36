import { decodeHeaders, encodeHeaders, type Header, varintLength, writeVarint } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import fc from "fast-check";

Deno.test("encodeHeaders() writes the bytes of Kafka's record format", () => {
  const list = encodeHeaders([["a", "bc"], ["n", null], ["", Uint8Array.of()]]);
  // Zigzag: 3 headers are 6, a length of 1 is 2, no value is 1.
  assert.deepEqual([...list], [6, 2, 0x61, 4, 0x62, 0x63, 2, 0x6e, 1, 0, 0]);
  assert.deepEqual([...encodeHeaders([])], [0]);
});

Deno.test("decodeHeaders() gives back names, values and their order", () => {
  const text = fc.string({ unit: "grapheme" }).map((one) => one.toWellFormed());
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
    fc.constant(null),
  );
  const name = fc.oneof(text, fc.constant("\uFEFFmarked"));
  fc.assert(fc.property(fc.array(fc.tuple(name, value)), (headers: Header[]) => {
    assert.deepEqual(decodeHeaders(encodeHeaders(headers)), headers);
  }));
});

Deno.test("decodeHeaders() refuses a list that is cut short", () => {
  const whole = encodeHeaders([["name", "value"], ["other", null]]);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeHeaders(whole.subarray(0, length)), RangeError, `${length}`);
  }
});

Deno.test("varintLength() is what writeVarint() writes", () => {
  const number = fc.oneof(
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.integer({ min: -70, max: 70 }),
  );
  fc.assert(
    fc.property(
      number,
      (value) => assert.equal(writeVarint(new Uint8Array(5), 0, value), varintLength(value)),
    ),
  );
  assert.deepEqual([-1, 0, -64, 63, 64, -65, 2 ** 31 - 1].map(varintLength), [1, 1, 1, 1, 2, 2, 5]);
});
