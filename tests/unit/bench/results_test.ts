import assert from "node:assert/strict";
import {
  besideNeighbour,
  besideTarget,
  exitCodeOf,
  median,
  observed,
  percentile,
  ratioOf,
  verdictOf,
} from "../../bench/results.ts";

const RATE = { name: "drain", unit: "msg/s", better: "more", note: "" } as const;
const TIME = { name: "latency", unit: "ms", better: "less", note: "" } as const;

Deno.test("ratioOf() is better the higher it is, for rates and for times", () => {
  assert.equal(ratioOf(80, 100, "more"), 0.8);
  assert.equal(ratioOf(10, 5, "less"), 0.5);
});

Deno.test("ratioOf() refuses what was not measured", () => {
  for (const [value, baseline] of [[0, 1], [1, 0], [NaN, 1], [1, NaN], [Infinity, 1], [-1, 1]] as const) {
    assert.throws(() => ratioOf(value, baseline, "more"), RangeError);
  }
});

Deno.test("besideNeighbour() compares the medians of both", () => {
  const result = besideNeighbour(RATE, [90, 10, 80], [100, 400, 50], 0.8);
  assert.deepEqual(result, {
    name: "drain",
    value: 80,
    unit: "msg/s",
    baseline: 100,
    ratio: 0.8,
    goal: 0.8,
    note: "",
    rounds: [90, 10, 80],
  });
});

Deno.test("besideTarget() wants the target itself", () => {
  const { baseline, goal, ratio } = besideTarget(TIME, [8], 4);
  assert.deepEqual({ baseline, goal, ratio }, { baseline: 4, goal: 1, ratio: 0.5 });
});

Deno.test("observed() is held against nothing", () => {
  const { baseline, goal, ratio, value } = observed(TIME, [8]);
  assert.deepEqual({ baseline, goal, ratio, value }, { baseline: null, goal: null, ratio: null, value: 8 });
});

Deno.test("verdictOf() fails below half of the goal only", () => {
  assert.equal(verdictOf({ ratio: 0.8, goal: 0.8 }), "reached");
  assert.equal(verdictOf({ ratio: 0.79, goal: 0.8 }), "short");
  assert.equal(verdictOf({ ratio: 0.4, goal: 0.8 }), "short");
  assert.equal(verdictOf({ ratio: 0.39, goal: 0.8 }), "failed");
  assert.equal(verdictOf({ ratio: 0.01, goal: null }), "no goal");
  assert.equal(verdictOf({ ratio: null, goal: null }), "no goal");
});

Deno.test("exitCodeOf() is 1 when one of the results failed", () => {
  const short = besideTarget(RATE, [60], 100);
  const failed = besideTarget(RATE, [40], 100);
  assert.equal(exitCodeOf([]), 0);
  assert.equal(exitCodeOf([short, observed(TIME, [1e9])]), 0);
  assert.equal(exitCodeOf([short, failed]), 1);
});

Deno.test("median() is the middle, or the mean of the two in the middle", () => {
  assert.equal(median([10, 9, 100]), 10);
  assert.equal(median([4, 1, 100, 2]), 3);
  assert.throws(() => median([]), RangeError);
});

Deno.test("percentile() is the nearest rank", () => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 1), 100);
  assert.equal(percentile([7], 0.01), 7);
  assert.throws(() => percentile([], 0.5), RangeError);
});
