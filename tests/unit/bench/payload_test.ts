import assert from "node:assert/strict";
import fc from "fast-check";
import { keyOf, KEYS, messagesJson, PAYLOAD_BYTES, payloadOf, seqOf } from "../../bench/payload.ts";

const seqs = fc.integer({ min: 1, max: 10_000_000 });
const encoder = new TextEncoder();

Deno.test("payloadOf() has the same size for every message, and its number can be read back", () => {
  fc.assert(fc.property(seqs, (seq) => {
    const bytes = encoder.encode(payloadOf(seq));
    assert.equal(bytes.length, PAYLOAD_BYTES);
    assert.equal(seqOf(bytes), seq);
    assert.equal(JSON.parse(payloadOf(seq)).seq, seq);
  }));
});

Deno.test("payloadOf() is written as PostgreSQL writes jsonb: members by length, then by name", () => {
  const names = Object.keys(JSON.parse(payloadOf(1)));
  const sorted = names.toSorted((one, other) => one.length - other.length || (one < other ? -1 : 1));
  assert.deepEqual(names, sorted);
  const text = payloadOf(1).replaceAll(/"(?:[^"\\]|\\.)*"/g, "x");
  assert.match(text, /^\{x: [^,:]+(, x: [^,:]+)*\}$/);
});

Deno.test("payloadOf() differs from message to message and is the same again", () => {
  const payloads = new Set(Array.from({ length: 1_000 }, (_, i) => payloadOf(i + 1)));
  assert.equal(payloads.size, 1_000);
  assert.equal(payloadOf(77), payloadOf(77));
});

Deno.test("keyOf() spreads over the keys", () => {
  const counts = new Map<string, number>();
  for (let seq = 1; seq <= 100 * KEYS; seq++) counts.set(keyOf(seq), (counts.get(keyOf(seq)) ?? 0) + 1);
  assert.equal(counts.size, KEYS);
  assert(Math.max(...counts.values()) < 200);
});

Deno.test("messagesJson() is an array as outbox_publish_many takes it", () => {
  assert.deepEqual(JSON.parse(messagesJson(5, 2)), [
    { dedup_key: keyOf(5), payload: JSON.parse(payloadOf(5)) },
    { dedup_key: keyOf(6), payload: JSON.parse(payloadOf(6)) },
  ]);
});

Deno.test("seqOf() refuses a payload that is not the benchmark's", () => {
  for (const text of ["", "{}", '{"seq": 0}', '{"sku": 1, "seq": 2}', '{"seq": x, ']) {
    assert.throws(() => seqOf(encoder.encode(text)), RangeError);
  }
});
