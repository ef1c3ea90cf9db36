import { strict as assert } from "node:assert";
import { chanceOf } from "./chance.ts";
import { decide, decideConnection, FAULT_KINDS, mixOf, NO_FAULTS } from "./fault_schedule.ts";
import { PRODUCE_KEY } from "./produce_wire.ts";

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);

/** What happens to the first requests of some connections. */
function decisionsOf(seed: number): readonly unknown[] {
  const mix = mixOf(seed);
  return [1, 2].flatMap((node) =>
    [1, 2, 3].flatMap((connection) =>
      Array.from({ length: 20 }, (_, request) => {
        const { chance, ...decision } = decide(seed, mix, { node, connection, request }, PRODUCE_KEY);
        return [decision, chance(), decideConnection(seed, mix, { node, connection, request: 0 })];
      })
    )
  );
}

Deno.test("decide() decides the same about the same requests, and otherwise for another seed", () => {
  for (const seed of SEEDS.slice(0, 20)) {
    assert.deepEqual(decisionsOf(seed), decisionsOf(seed));
    assert.notDeepEqual(decisionsOf(seed), decisionsOf(seed + 1));
  }
});

Deno.test("mixOf() gives every fault in some runs and leaves it out of others, and leaves most requests alone", () => {
  for (const kind of FAULT_KINDS) {
    const given = SEEDS.filter((seed) => mixOf(seed)[kind] > 0).length;
    assert.ok(given > 30 && given < 150, `${kind} in ${given} of ${SEEDS.length}`);
  }
  for (const seed of SEEDS) {
    const mix = mixOf(seed);
    const occasions = Array.from({ length: 500 }, (_, request) => ({ node: 1, connection: 1, request }));
    const faults = occasions.filter((one) => decide(seed, mix, one, PRODUCE_KEY).kind !== null).length;
    assert.ok(faults < 200, `${faults} of 500 requests with seed ${seed}`);
  }
});

Deno.test("decide() does nothing at all where there are no faults", () => {
  for (const request of [1, 2, 3]) {
    const { holdAnswerMs, holdMs, kind } = decide(
      1,
      NO_FAULTS,
      { node: 1, connection: 1, request },
      PRODUCE_KEY,
    );
    assert.deepEqual([kind, holdMs, holdAnswerMs], [null, 0, 0]);
  }
});

Deno.test("chanceOf() spreads evenly, and neighbours have nothing in common", () => {
  const firsts = Array.from({ length: 2_000 }, (_, i) => chanceOf(7, i)());
  const mean = firsts.reduce((sum, number) => sum + number, 0) / firsts.length;
  assert.ok(Math.abs(mean - 0.5) < 0.03, `mean ${mean}`);
  assert.ok(firsts.every((number) => number >= 0 && number < 1));
  assert.equal(new Set(firsts).size, firsts.length);
});
