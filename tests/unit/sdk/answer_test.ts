import { AnswerBuilder, delivered, faulted, misconfigured, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import { assertWholeAnswer } from "../../../plugins/sdk/conformance.ts";

Deno.test("AnswerBuilder makes ranges of delivered records, in whatever order they were told", () => {
  const builder = new AnswerBuilder(6);
  for (const index of [4, 0, 1, 5]) builder.deliver(index);
  builder.reject(2, "MESSAGE_TOO_LARGE", "too large");
  assert.equal(builder.open, 1);
  builder.fail(3, "BUSY", "later", 50);
  assert.deepEqual(builder.build(), {
    delivered: Uint32Array.of(0, 2, 4, 6),
    rejected: [{ index: 2, code: "MESSAGE_TOO_LARGE", reason: "too large" }],
    failed: [{ index: 3, code: "BUSY", reason: "later", retryAfterMs: 50 }],
  });
});

Deno.test("AnswerBuilder wants a fault for records without an outcome, and drops one that nothing needs", () => {
  const builder = new AnswerBuilder(2);
  builder.deliver(0);
  const fault = unavailable("DOWN", "the server is down");
  assert.throws(() => builder.build(), /1 records have neither an outcome nor a fault/);
  assert.deepEqual(builder.build(fault).fault, fault);
  builder.deliver(1);
  assert.equal("fault" in builder.build(fault), false);
});

Deno.test("AnswerBuilder refuses a second outcome and a record that is not of the page", () => {
  const builder = new AnswerBuilder(1);
  builder.reject(0, "X", "x");
  assert.throws(() => builder.deliver(0), RangeError);
  assert.throws(() => builder.deliver(1), RangeError);
});

Deno.test("AnswerBuilder's answers are whole, whatever becomes of each record", () => {
  const outcomes = fc.array(fc.constantFrom("deliver", "reject", "fail"), { maxLength: 200 });
  fc.assert(fc.property(outcomes, (all) => {
    const builder = new AnswerBuilder(all.length);
    for (const [i, outcome] of all.entries()) {
      if (outcome === "deliver") builder.deliver(i);
      else if (outcome === "reject") builder.reject(i, "R", "r");
      else builder.fail(i, "F", "f");
    }
    assertWholeAnswer(builder.build(), all.length);
  }));
});

Deno.test("the short answers and faults are whole", () => {
  assertWholeAnswer(delivered(3), 3);
  assertWholeAnswer(delivered(0), 0);
  assert.equal(faulted(unavailable("DOWN", "d")).fault?.kind, "unavailable");
  assert.deepEqual(unavailable("DOWN", "d"), { kind: "unavailable", code: "DOWN", reason: "d" });
  assert.deepEqual(unavailable("DOWN", "d", 9), {
    kind: "unavailable",
    code: "DOWN",
    reason: "d",
    retryAfterMs: 9,
  });
  assert.deepEqual(misconfigured("X", "x", "Do."), {
    kind: "configuration",
    code: "X",
    reason: "x",
    advice: "Do.",
  });
});

Deno.test("AnswerBuilder tells how many of the first records are delivered", () => {
  const builder = new AnswerBuilder(5);
  builder.deliver(1);
  assert.equal(builder.deliveredFirst, 0);
  builder.deliver(0);
  assert.equal(builder.deliveredFirst, 2);
  builder.reject(2, "X", "x");
  builder.deliver(3);
  assert.equal(builder.deliveredFirst, 2, "a rejected record is not delivered");
});
