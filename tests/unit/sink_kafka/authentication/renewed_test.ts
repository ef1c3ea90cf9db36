import { FaultError, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { type Perishable, Renewed } from "../../../../plugins/sink_kafka/authentication/renewed.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

interface Numbered extends Perishable {
  readonly number: number;
}

/** Something that is good for 100 seconds, numbered. */
function setUp() {
  const clock = new SinkClock();
  const source = { asked: 0, trouble: undefined as Error | undefined, delayMs: 0, lifeMs: 100_000 };
  const renewed = new Renewed<Numbered>(async () => {
    const number = ++source.asked;
    if (source.delayMs > 0) await new Promise<void>((resolve) => clock.after(source.delayMs, resolve));
    if (source.trouble !== undefined) throw source.trouble;
    return { number, expiresAtMs: clock.monotonicMs() + source.lifeMs };
  }, clock);
  const number = () => renewed.get().then((held) => held.number);
  return { clock, source, renewed, number };
}

Deno.test("Renewed.get() asks once for all that want it at the same time", async () => {
  const { clock, source, number } = setUp();
  source.delayMs = 50;
  const all = Promise.all(Array.from({ length: 20 }, number));
  await clock.pass(50);
  assert.deepEqual(new Set(await all), new Set([1]));
  assert.equal(source.asked, 1);
});

Deno.test("Renewed.get() gives the same until four fifths of its life are over", async () => {
  const { clock, number } = setUp();
  assert.equal(await number(), 1);
  await clock.pass(79_999);
  assert.equal(await number(), 1);
  await clock.pass(1);
  assert.equal(await number(), 2);
  await clock.pass(79_999);
  assert.equal(await number(), 2);
});

Deno.test("Renewed.get() renews at another moment in each relay", async () => {
  const renewsAt = async (chance: number) => {
    const { clock, number } = setUp();
    clock.random = () => chance;
    await number();
    for (let atMs = 0; atMs < 100_000; atMs += 1_000) {
      await clock.pass(1_000);
      if (await number() === 2) return clock.monotonicMs();
    }
    return undefined;
  };
  assert.deepEqual([await renewsAt(0), await renewsAt(0.5), await renewsAt(0.999)], [75_000, 80_000, 85_000]);
});

Deno.test("Renewed.get() gives what it has while it cannot be renewed, asks after pauses, and gives up shortly before its end", async () => {
  const { clock, source, number } = setUp();
  await number();
  source.trouble = new FaultError(unavailable("X", "down"));
  await clock.pass(80_000);
  for (let i = 0; i < 1_000; i++) assert.equal(await number(), 1);
  assert.equal(source.asked, 2, "one attempt, then a pause");
  await clock.pass(14_999);
  assert.equal(await number(), 1);
  assert.ok(source.asked >= 3);
  await clock.pass(1);
  await assert.rejects(number(), /down/);
  source.trouble = undefined;
  await clock.pass(6_000);
  assert.ok(await number() > 3);
});

Deno.test("Renewed.get() waits a second for a new one while it has a good one, and has the new one later", async () => {
  const { clock, source, number } = setUp();
  await number();
  await clock.pass(80_000);
  source.delayMs = 5_000;
  const waiting = number();
  await clock.pass(1_000);
  assert.equal(await waiting, 1);
  await clock.pass(4_000);
  assert.equal(await number(), 2);
  assert.deepEqual([source.asked, clock.appointments], [2, 0]);
});

Deno.test("Renewed.get() does not ask again at once after a failure, however many want it", async () => {
  const { clock, source, number } = setUp();
  source.trouble = new Error("down");
  for (let i = 0; i < 100; i++) await assert.rejects(number(), /down/);
  assert.equal(source.asked, 1);
  // The pauses grow to five seconds.
  for (let i = 0; i < 600; i++) {
    await clock.pass(100);
    await assert.rejects(number(), /down/);
  }
  assert.ok(source.asked >= 12 && source.asked <= 20, `asked ${source.asked} times in a minute`);
});

Deno.test("Renewed.get() waits as long as it was told to", async () => {
  const { clock, source, number } = setUp();
  source.trouble = new FaultError(unavailable("X", "busy", 60_000));
  await assert.rejects(number());
  await clock.pass(59_999);
  await assert.rejects(number());
  assert.equal(source.asked, 1);
  await clock.pass(1);
  await assert.rejects(number());
  assert.equal(source.asked, 2);
});

Deno.test("Renewed.forget() lets go of what was refused, and of nothing newer", async () => {
  const { renewed, number } = setUp();
  const first = await renewed.get();
  renewed.forget(first);
  assert.equal(await number(), 2);
  renewed.forget(first);
  assert.equal(await number(), 2);
});

Deno.test("Renewed.get() gives what does not expire for ever, and asks each time for what has expired on arrival", async () => {
  const { clock, source, number } = setUp();
  source.lifeMs = Infinity;
  await number();
  await clock.pass(1e12);
  assert.equal(await number(), 1);
  const expired = setUp();
  expired.source.lifeMs = -1_000;
  assert.deepEqual([await expired.number(), await expired.number()], [1, 2]);
});
