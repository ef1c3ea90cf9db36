import assert from "node:assert/strict";
import { InvariantError } from "../../../src/base/invariant.ts";
import { PageProgress } from "../../../src/record/progress.ts";
import { windowOf } from "../../support/pages.ts";

const WINDOW = windowOf(1, 0, 30);

Deno.test("PageProgress frontier is the contiguous prefix of final messages", () => {
  const progress = new PageProgress(Float64Array.of(10, 20, 30), WINDOW, "run");
  assert.equal(progress.frontier(), null);
  progress.settle(1);
  assert.equal(progress.frontier(), null);
  progress.settle(0);
  assert.equal(progress.frontier()?.lastId, 20);
  progress.settle(2);
  assert.deepEqual(progress.frontier(), { window: WINDOW, phase: "run", lastId: 30 });
  assert.equal(progress.open, 0);
});

Deno.test("PageProgress message with several records is final when all are settled", () => {
  const progress = new PageProgress(Float64Array.of(10), WINDOW, "run");
  progress.expect(0, 2);
  progress.settle(0);
  progress.settle(0);
  assert.equal(progress.frontier(), null);
  progress.settle(0);
  assert.equal(progress.frontier()?.lastId, 10);
});

Deno.test("PageProgress refuses to settle a final message again", () => {
  const progress = new PageProgress(Float64Array.of(10), WINDOW, "run");
  progress.settle(0);
  assert.throws(() => progress.settle(0), InvariantError);
  assert.throws(() => progress.expect(0, 1), InvariantError);
});
