import assert from "node:assert/strict";
import { IdleWatch } from "../../../../plugins/sink_kafka/cluster/idle_watch.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

function setup() {
  const clock = new SinkClock();
  const idleAtMs: number[] = [];
  const watch = new IdleWatch(clock, 1_000, () => idleAtMs.push(clock.monotonicMs()));
  watch.start();
  return { clock, idleAtMs, watch };
}

Deno.test("IdleWatch tells once when nothing was open for so long", async () => {
  const { clock, idleAtMs } = setup();
  await clock.pass(999);
  assert.deepEqual(idleAtMs, []);
  await clock.pass(10_000);
  assert.deepEqual(idleAtMs, [1_000]);
  assert.equal(clock.appointments, 0);
});

Deno.test("IdleWatch counts from the end of the last request", async () => {
  const { clock, idleAtMs, watch } = setup();
  await clock.pass(600);
  watch.begin();
  assert.ok(watch.busy);
  await clock.pass(100);
  watch.end();
  assert.ok(!watch.busy);
  await clock.pass(999);
  assert.deepEqual(idleAtMs, []);
  await clock.pass(1);
  assert.deepEqual(idleAtMs, [1_700]);
});

Deno.test("IdleWatch takes no connection for idle that waits for an answer, however long", async () => {
  const { clock, idleAtMs, watch } = setup();
  watch.begin();
  watch.begin();
  watch.end();
  await clock.pass(60_000);
  assert.deepEqual(idleAtMs, []);
  watch.end();
  await clock.pass(1_000);
  assert.deepEqual(idleAtMs, [61_000]);
});

Deno.test("IdleWatch knows for how long a broker has owed answers and given none", async () => {
  const { clock, watch } = setup();
  await clock.pass(300);
  assert.equal(watch.silentMs, 0);
  watch.begin();
  await clock.pass(100);
  watch.begin();
  await clock.pass(100);
  assert.equal(watch.silentMs, 200);
  watch.end();
  assert.equal(watch.silentMs, 0);
  await clock.pass(50);
  assert.equal(watch.silentMs, 50);
  watch.end();
  await clock.pass(50);
  assert.equal(watch.silentMs, 0);
});

Deno.test("IdleWatch.stop() leaves nothing behind", async () => {
  const { clock, idleAtMs, watch } = setup();
  watch.stop();
  assert.equal(clock.appointments, 0);
  await clock.pass(60_000);
  assert.deepEqual(idleAtMs, []);
});
