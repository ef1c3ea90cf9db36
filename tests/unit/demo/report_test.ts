import { strict as assert } from "node:assert";
import { allGood, type Figures, jsonOf, tableOf } from "../../demo/report.ts";

const GOOD = { published: 2000, delivered: 2000, lost: 0, duplicated: 0, outOfOrder: 0, unexpected: 0 };

const FIGURES: Figures = {
  crash: { ...GOOD, published: 10_000, delivered: 10_000, duplicated: 17 },
  rolledBack: 990,
  inFlightAtKill: 31,
  outageMs: 2345,
  steady: GOOD,
  latency: { p50: 11.2, p99: 19 },
  backlog: { ...GOOD, published: 10_000, delivered: 10_000 },
  perSecond: 98_765,
};

Deno.test("jsonOf() has the keys that programs rely on, first and about the load with the crash", () => {
  const entries = Object.entries(jsonOf(FIGURES));
  assert.deepEqual(Object.fromEntries(entries.filter(([name]) => name !== "steady" && name !== "backlog")), {
    published: 10_000,
    delivered: 10_000,
    lost: 0,
    duplicated: 17,
    out_of_order: 0,
    unexpected: 0,
    msg_per_s: 98_765,
    latency_ms: { p50: 11.2, p99: 19 },
    rolled_back: 990,
    in_flight_at_kill: 31,
    outage_ms: 2345,
  });
});

Deno.test("tableOf() says what each figure is about", () => {
  const table = tableOf(FIGURES);
  assert.match(table, /published +10,000 +and 990 rolled back/);
  assert.match(table, /duplicated +17 +31 were in flight/);
  assert.match(table, /outage +2.3 s/);
  assert.match(table, /messages\/s +98,765 +a backlog of 10,000/);
  assert.match(table, /latency p50 +11.2 ms/);
  assert.match(table, /latency p99 +19.0 ms/);
  assert.match(table, /Nothing was lost, and every key kept its order\.$/);
});

for (const broken of [{ lost: 1 }, { outOfOrder: 1 }, { unexpected: 1 }]) {
  for (const stretch of ["crash", "steady", "backlog"] as const) {
    const name = Object.keys(broken)[0];
    Deno.test(`allGood() does not forgive ${name} of the ${stretch} stretch, and tableOf() says it`, () => {
      const figures = { ...FIGURES, [stretch]: { ...FIGURES[stretch], ...broken } };
      assert.equal(allGood(figures), false);
      assert.match(tableOf(figures), /^BROKEN \((with a crash|unhurried|backlog)\): .*\b1 /m);
      assert.doesNotMatch(tableOf(figures), /Nothing was lost/);
    });
  }
}

Deno.test("tableOf() shows a latency that nobody could measure as none", () => {
  assert.match(tableOf({ ...FIGURES, latency: { p50: null, p99: null } }), /latency p50 +- /);
});
