import assert from "node:assert/strict";
import fc from "fast-check";
import { backoffMs } from "../../../src/base/backoff.ts";

const POLICY = { initialMs: 100, maxMs: 5_000 };

Deno.test("backoffMs() doubles its bound with every attempt, up to the longest wait", () => {
  const bounds = [1, 2, 3, 6, 7, 1_000].map((attempt) => backoffMs(POLICY, attempt, 1 - Number.EPSILON));
  assert.deepEqual(bounds.map(Math.round), [100, 200, 400, 3_200, 5_000, 5_000]);
});

Deno.test("backoffMs() spreads waits evenly, but for the shortest tenth", () => {
  assert.equal(backoffMs(POLICY, 1, 0.5), 50);
  assert.equal(backoffMs(POLICY, 1, 0), 10);
  assert.equal(backoffMs(POLICY, 1, 0.1), 10);
});

Deno.test("backoffMs() stays within a tenth of its bound and its bound, whatever the attempt", () => {
  const policy = fc.record({
    initialMs: fc.integer({ min: 1, max: 1e6 }),
    maxMs: fc.integer({ min: 1, max: 1e7 }),
  });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(fc.property(policy, fc.integer({ min: 1, max: 1e9 }), random, (policy, attempt, chance) => {
    const waitMs = backoffMs(policy, attempt, chance);
    const boundMs = Math.min(policy.maxMs, policy.initialMs * 2 ** (attempt - 1));
    assert.ok(waitMs >= Math.min(policy.initialMs, policy.maxMs) / 10, `${waitMs}`);
    assert.ok(waitMs <= boundMs, `${waitMs} > ${boundMs}`);
  }));
});
