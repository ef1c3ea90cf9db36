import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../src/base/clock.ts";

Deno.test("SYSTEM_CLOCK.sleep() waits at least as long as it says", async () => {
  const start = SYSTEM_CLOCK.monotonic();
  await SYSTEM_CLOCK.sleep(30);
  // Timers round to whole milliseconds.
  assert.ok(SYSTEM_CLOCK.monotonic() - start >= 29);
});

Deno.test("SYSTEM_CLOCK.sleep() returns at once when its signal aborts, before or while it waits", async () => {
  const start = SYSTEM_CLOCK.monotonic();
  await SYSTEM_CLOCK.sleep(60_000, AbortSignal.abort());
  const controller = new AbortController();
  const sleeping = SYSTEM_CLOCK.sleep(60_000, controller.signal);
  controller.abort();
  await sleeping;
  assert.ok(SYSTEM_CLOCK.monotonic() - start < 30_000);
});

Deno.test("SYSTEM_CLOCK tells the time, and draws numbers below 1", () => {
  assert.ok(Math.abs(SYSTEM_CLOCK.now() - Date.now()) < 10_000);
  const drawn = Array.from({ length: 100 }, () => SYSTEM_CLOCK.random());
  assert.ok(drawn.every((number) => number >= 0 && number < 1));
  assert.ok(new Set(drawn).size > 1);
});
