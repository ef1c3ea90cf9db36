import assert from "node:assert/strict";
import { Lane } from "../../../../plugins/sink_kafka/produce/lane.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

function setup() {
  const clock = new SinkClock();
  const lane = new Lane(1, clock);
  const woken: number[] = [];
  const wake = (atMs: number) => lane.wake(atMs, clock.monotonicMs(), () => woken.push(clock.monotonicMs()));
  return { clock, lane, wake, woken };
}

Deno.test("Lane wakes once, at the earliest of the times that it was given", async () => {
  const { clock, wake, woken } = setup();
  wake(50);
  wake(20);
  wake(30);
  wake(Infinity);
  await clock.pass(100);
  assert.deepEqual(woken, [20]);
  wake(150);
  await clock.pass(100);
  assert.deepEqual(woken, [20, 150]);
});

Deno.test("Lane does not wake when it was told to sleep, and wakes for a time given after that", async () => {
  const { clock, lane, wake, woken } = setup();
  wake(20);
  lane.sleep();
  await clock.pass(50);
  assert.deepEqual(woken, []);
  wake(60);
  await clock.pass(50);
  assert.deepEqual(woken, [60]);
});

Deno.test("Lane never wakes at once, so that nobody calls himself for ever", async () => {
  const { clock, wake, woken } = setup();
  await clock.pass(10);
  wake(5);
  assert.deepEqual(woken, []);
  await clock.pass(1);
  assert.deepEqual(woken, [11]);
});
