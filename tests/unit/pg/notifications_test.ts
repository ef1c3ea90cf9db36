import assert from "node:assert/strict";
import { NotificationChannel } from "../../../src/pg/notifications.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const NEVER = new AbortController().signal;

function setup() {
  const clock = new VirtualClock();
  const channel = new NotificationChannel(clock);
  /** For how long a wait lasts. */
  const wait = async (seen: number, ms: number, signal = NEVER) => {
    const startedMs = clock.monotonic();
    await channel.wait(seen, ms, signal);
    return clock.monotonic() - startedMs;
  };
  return { clock, channel, wait };
}

Deno.test("NotificationChannel.wait() lasts its time when nothing arrives", async () => {
  const { clock, wait } = setup();
  assert.equal(await clock.run(wait(0, 500)), 500);
});

Deno.test("NotificationChannel.wait() ends for everybody when a notification arrives", async () => {
  const { clock, channel, wait } = setup();
  const waiting = Promise.all([wait(0, 5_000), wait(0, 9_000)]);
  await clock.run(clock.sleep(100));
  channel.notify();
  assert.deepEqual(await clock.run(waiting), [100, 100]);
});

Deno.test("NotificationChannel.wait() returns at once for what has arrived since it was looked at", async () => {
  const { clock, channel, wait } = setup();
  const seen = channel.count;
  channel.notify();
  assert.equal(await clock.run(wait(seen, 5_000)), 0);
  assert.equal(await clock.run(wait(channel.count, 5_000)), 5_000);
});

Deno.test("NotificationChannel.wait() ends when it is aborted, and does not begin afterwards", async () => {
  const { clock, wait } = setup();
  const abort = new AbortController();
  const waiting = wait(0, 5_000, abort.signal);
  await clock.run(clock.sleep(100));
  abort.abort();
  assert.equal(await clock.run(waiting), 100);
  assert.equal(await clock.run(wait(0, 5_000, abort.signal)), 0);
});
