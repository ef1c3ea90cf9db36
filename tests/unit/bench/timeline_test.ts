import assert from "node:assert/strict";
import fc from "fast-check";
import { firstTimeOf, ratesOf } from "../../bench/timeline.ts";

Deno.test("firstTimeOf() finds when the n-th record had arrived", async () => {
  const times = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 50 });
  await fc.assert(fc.asyncProperty(times, fc.nat(), async (arrivals, pick) => {
    const sorted = arrivals.toSorted((one, other) => one - other);
    const nth = pick % sorted.length + 1;
    const arrived = (time: number) => Promise.resolve(sorted.filter((each) => each <= time).length);
    assert.equal(await firstTimeOf(arrived, nth, 0, 1_000), sorted[nth - 1]);
  }));
});

Deno.test("firstTimeOf() refuses a record that never arrived", async () => {
  await assert.rejects(firstTimeOf(() => Promise.resolve(3), 4, 0, 10), RangeError);
});

Deno.test("ratesOf() counts the second half from when the first one was there", () => {
  const rates = ratesOf(1_000, { firstMs: 5_000, middleMs: 9_000, lastMs: 10_000 });
  assert.deepEqual(rates, { whole: 200, half: 500 });
});

Deno.test("ratesOf() of records within one millisecond is finite", () => {
  assert.equal(ratesOf(10, { firstMs: 1, middleMs: 1, lastMs: 1 }).whole, 10_000);
});
