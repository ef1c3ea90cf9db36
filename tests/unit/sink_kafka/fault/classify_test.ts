import { protocolErrors } from "@platformatic/kafka";
import assert from "node:assert/strict";
import { classify, ERROR_CLASSES, mayBeWritten } from "../../../../plugins/sink_kafka/fault/classify.ts";

Deno.test("classify() knows every error code that the library knows, by the same name", () => {
  const known = Object.values(protocolErrors).map(({ code, id }) => [code, id] as const);
  assert.ok(known.length > 120);
  const wrong = known.filter(([code, id]) => ERROR_CLASSES.get(code)?.name !== id);
  assert.deepEqual(wrong, []);
});

Deno.test("classify() has no code and no name twice", () => {
  const names = [...ERROR_CLASSES.values()].map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  // From -1 to the last one, without a gap.
  assert.deepEqual([...ERROR_CLASSES.keys()].toSorted((a, b) => a - b), names.map((_, i) => i - 1));
});

Deno.test("classify() waits out what passes, rejects only what names a record, and blocks what needs a person", () => {
  const decisions = (codes: readonly number[]) => codes.map((code) => classify(code).decision);
  assert.deepEqual(decisions([0, 46]), ["delivered", "delivered"]);
  assert.deepEqual(decisions([3, 5, 6, 13, 56]), new Array(5).fill("refresh"));
  assert.deepEqual(decisions([-1, 7, 19, 20, 89]), new Array(5).fill("retry"));
  assert.deepEqual(decisions([10, 18]), ["split", "split"]);
  assert.deepEqual(decisions([32, 87]), ["reject", "reject"]);
  assert.deepEqual(decisions([45, 59]), ["sequence", "sequence"]);
  assert.deepEqual(decisions([47, 49, 90]), ["producer", "producer", "producer"]);
  assert.deepEqual(decisions([17, 29, 31, 44, 58, 76]), new Array(6).fill("blocked"));
});

Deno.test("classify() tries a code that it does not know again, and never gives a record up for it", () => {
  assert.deepEqual(classify(9_999), {
    name: "ERROR_9999",
    decision: "retry",
    why: "an error code that this version does not know",
  });
});

Deno.test("mayBeWritten() tells errors before the append from those after it", () => {
  assert.deepEqual([7, 20, 13, -1, 56, 9_999].map(mayBeWritten), new Array(6).fill(true));
  assert.deepEqual([10, 19, 29, 45, 87].map(mayBeWritten), new Array(5).fill(false));
});

Deno.test("mayBeWritten() knows that a broker may have lost the lead after the append", () => {
  assert.deepEqual([3, 6].map(mayBeWritten), [true, true]);
});
