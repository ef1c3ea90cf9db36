import { strict as assert } from "node:assert";
import { jsonOf, tableOf } from "../../soak/report.ts";
import { emptyTally, type Tally } from "../../soak/soak.ts";

const GOOD: Tally = {
  rounds: new Map([["whole relay", 1], ["idempotent", 2]]),
  faults: new Map([["cut after", 40], ["late", 2]]),
  records: 12_345,
  retries: 60,
  ended: 3,
  repeated: 70,
  exact: 2,
};

const cause = new Error("the numbers of key-3");
const BAD: Tally = {
  ...GOOD,
  violation: { seed: 42, error: new Error("Seed 42:\nlate: node 1", { cause }) },
};

Deno.test("tableOf() shows every figure, and says that all is good", () => {
  const lines = tableOf(GOOD).split("\n");
  assert.deepEqual(lines, [
    "  rounds                 3   2 idempotent, 1 whole relay",
    "  records           12,345",
    "  faults                42   40 cut after, 2 late",
    "  retries               60   batches that were sent again",
    "  given again            3   times that a fault reached the relay",
    "  duplicates            70   where they may be; 2 rounds had to be without any",
    "",
    "  Nothing was lost, nothing was out of order, and nothing stood twice where it must not.",
  ]);
});

Deno.test("tableOf() shows what was done before a promise was broken, and how to see it again", () => {
  const text = tableOf(BAD);
  assert.match(text, /^Seed 42:\nlate: node 1\nthe numbers of key-3$/m);
  assert.ok(text.endsWith("A promise was broken. To see it again: deno task soak --rounds 1 --seed 42"));
  assert.ok(!text.includes("Nothing was lost"));
});

Deno.test("jsonOf() is for programs", () => {
  assert.deepEqual(jsonOf(GOOD), {
    rounds: { "whole relay": 1, "idempotent": 2 },
    records: 12_345,
    faults: { "cut after": 40, "late": 2 },
    retries: 60,
    generations_ended: 3,
    duplicates: 70,
    exactly_once_rounds: 2,
    good: true,
    lost: 0,
    out_of_order: 0,
  });
  const { error, good, seed } = jsonOf(BAD);
  assert.deepEqual([good, seed, error], [false, 42, "Seed 42:\nlate: node 1\nthe numbers of key-3"]);
  assert.equal(jsonOf(emptyTally()).records, 0);
});
