import { strict as assert } from "node:assert";
import { stepsOf } from "./test_plan.ts";
import { judge } from "./test_step.ts";

const CHECK = { name: "format", args: ["fmt", "--check"] };
const TESTS = { name: "unit", args: ["test", "tests/unit"], folder: "tests/unit" };

Deno.test("judge() counts a check as one test", () => {
  assert.deepEqual(judge(CHECK, true, undefined), { passed: 1, failed: 0 });
  assert.deepEqual(judge(CHECK, false, undefined), { passed: 0, failed: 1 });
});

Deno.test("judge() takes the counts of a test run", () => {
  assert.deepEqual(judge(TESTS, true, { passed: 3, failed: 0 }), { passed: 3, failed: 0 });
  assert.deepEqual(judge(TESTS, false, { passed: 3, failed: 2 }), { passed: 3, failed: 2 });
});

Deno.test("judge() fails a run without tests, with skipped ones, or that failed outside of them", () => {
  assert.deepEqual(judge(TESTS, false, undefined), { passed: 0, failed: 1, remark: "no test ran" });
  assert.deepEqual(judge(TESTS, true, { passed: 0, failed: 0 }), {
    passed: 0,
    failed: 1,
    remark: "no test ran",
  });
  assert.equal(judge(TESTS, true, { passed: 3, failed: 1 }).remark, "tests were skipped");
  assert.deepEqual(judge(TESTS, false, { passed: 3, failed: 0 }), {
    passed: 3,
    failed: 1,
    remark: "failed outside of a test",
  });
});

Deno.test("stepsOf() repeats the ok tier in the others and gives servers to slow layers alone", () => {
  const ok = stepsOf("ok");
  const test = stepsOf("test");
  assert.deepEqual(test.slice(0, ok.length), ok);
  assert.ok(ok.every(({ servers }) => !servers));
  assert.ok(test.some(({ name, servers }) => name === "integration" && servers));
});
