/**
 * The sink between the relay's dispatcher and a real broker, with faults by chance in between. A run that fails prints its seed and what
 * was done; `TIDE_TEST_FAULT_SEED` runs that one alone, `TIDE_TEST_FAULT_SEEDS` says how many others.
 */

import assert from "node:assert/strict";
import { type FaultRunResult, runThroughFaults } from "../../support/fault_run.ts";
import { FAULT_KINDS, NO_FAULTS } from "../../support/fault_schedule.ts";
import { sharedKafka } from "../../support/kafka.ts";

/** Records of a run. */
const COUNT = 2_000;

/** The seeds to run. */
function seeds(): readonly number[] {
  const only = Deno.env.get("TIDE_TEST_FAULT_SEED");
  if (only !== undefined) return [Number(only)];
  const usual = Deno.env.get("TIDE_TEST_TIER") === "full" ? 40 : 3;
  const count = Number(Deno.env.get("TIDE_TEST_FAULT_SEEDS") ?? usual);
  return Array.from({ length: count }, (_, i) => 1 + i);
}

async function runAll(t: Deno.TestContext, idempotent: boolean): Promise<readonly FaultRunResult[]> {
  const kafka = await sharedKafka();
  const results: FaultRunResult[] = [];
  for (const seed of seeds()) {
    await t.step(`seed ${seed}`, async () => {
      results.push(await runThroughFaults(kafka, { seed, idempotent, count: COUNT }));
    });
  }
  const kinds = new Set(results.flatMap(({ faults }) => [...faults.keys()]));
  if (results.length >= 3) assert.ok(kinds.size > FAULT_KINDS.length / 2, `only ${[...kinds].join(", ")}`);
  return results;
}

Deno.test("idempotent, the Kafka sink writes every record once and in order per key, whatever the network and the broker do", async (t) => {
  const results = await runAll(t, true);
  if (results.length >= 3) assert.ok(results.some(({ exact }) => exact), "no run had to be exact");
});

Deno.test("not idempotent, the Kafka sink loses nothing and keeps the order per key, whatever the network and the broker do", async (t) => {
  const results = await runAll(t, false);
  if (results.length >= 3) assert.ok(results.some(({ repeated }) => repeated > 0), "nothing was repeated");
});

Deno.test("with five requests in flight and the connection cut at random between a write and its answer, every record stands there once", async () => {
  const kafka = await sharedKafka();
  const mix = { ...NO_FAULTS, "cut after": 0.15, "cut answer": 0.05, late: 0.05 };
  const fields = { max_in_flight: 5, delivery_timeout_ms: 120_000 };
  const run = { seed: 2, idempotent: true, count: COUNT, mix, fields };
  const { ended, exact, faults } = await runThroughFaults(kafka, run);
  assert.deepEqual({ ended, exact }, { ended: 0, exact: true });
  assert.ok(faults.get("cut after")! >= 5, `only ${faults.get("cut after")} cuts`);
});

Deno.test("the same check finds a producer without numbers", async () => {
  const kafka = await sharedKafka();
  const mix = { ...NO_FAULTS, "cut after": 0.2 };
  const run = { seed: 2, idempotent: false, count: COUNT, mix, exact: true };
  await assert.rejects(runThroughFaults(kafka, run), ({ cause, message }: Error) => {
    assert.match(message, /^Seed 2:\n.*^cut after: node \d, connection \d+, Produce \d+: /ms);
    return cause instanceof assert.AssertionError && /the numbers of key-/.test(cause.message);
  });
});
