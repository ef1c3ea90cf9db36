import assert from "node:assert/strict";
import fc from "fast-check";
import { editDistance, nearestName } from "../../../src/base/nearest.ts";

const KNOWN = ["brokers", "topic", "batch_size", "linger_ms", "tls_enabled", "retry.max_attempts"];

Deno.test("nearestName() finds what was meant", () => {
  const table: readonly [written: string, meant: string | null][] = [
    ["broker", "brokers"],
    ["bokers", "brokers"],
    ["brokesr", "brokers"],
    ["tpoic", "topic"],
    ["Batch-Size", "batch_size"],
    ["batchsize", "batch_size"],
    ["linger.ms", "linger_ms"],
    ["retry_max_attempt", "retry.max_attempts"],
    ["acks", null],
    ["", null],
    ["topicality", null],
  ];
  assert.deepEqual(table.map(([written]) => nearestName(written, KNOWN)), table.map(([, meant]) => meant));
});

Deno.test("nearestName() is quick and finds nothing for a name of any length", () => {
  assert.equal(nearestName("x".repeat(1_000_000), KNOWN), null);
});

Deno.test("editDistance() counts one mistake as one", () => {
  const distance = (a: string, b: string) => editDistance(a, b, 10);
  const mistakes = [["abcd", "abd"], ["abd", "abcd"], ["abcd", "abxd"], ["abcd", "acbd"]] as const;
  assert.deepEqual(mistakes.map(([a, b]) => distance(a, b)), [1, 1, 1, 1]);
  assert.equal(distance("kitten", "sitting"), 3);
  assert.equal(editDistance("kitten", "sitting", 2), 2);
});

Deno.test("editDistance() is symmetric, zero for equal texts only, and no more than the longer text", () => {
  const text = fc.string({ maxLength: 12 });
  fc.assert(fc.property(text, text, (a, b) => {
    const distance = editDistance(a, b, 100);
    assert.equal(distance, editDistance(b, a, 100));
    assert.equal(distance === 0, a === b);
    assert.ok(distance <= Math.max(a.length, b.length));
    assert.ok(distance >= Math.abs(a.length - b.length));
  }));
});
