import assert from "node:assert/strict";
import { LIMITS } from "../../../src/base/limits.ts";
import type { Consignment } from "../../../src/deliver/shipment.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import { Retrier } from "../../../src/run/retrier.ts";
import { FakeLetters } from "../../support/fake_letters.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

function letterOf(messageId: number): DeadLetter {
  return {
    messageId,
    recordIndex: 0,
    stage: "route",
    failure: "rejected",
    code: "CODE",
    reason: "why",
    attempts: 1,
    createdMs: 0,
    op: "insert",
    dedupKey: null,
    payload: "{}",
    headers: null,
    previous: null,
    topic: null,
    recordKey: null,
    partition: null,
  };
}

interface Taken {
  readonly ids: readonly number[];
  readonly atMs: number;
  readonly messages: Consignment;
}

/** A retrier over so many letters, whose messages the test gives their outcomes, unless `delivers`. */
async function setup(count: number, delivers = false) {
  const clock = new VirtualClock();
  const kept = new FakeLetters();
  const { deadLetters, retries } = kept.stores(() => clock.sleep(1));
  await clock.run(deadLetters.keep(Array.from({ length: count }, (_, i) => letterOf(i + 1))));
  const taken: Taken[] = [];
  const failures: unknown[] = [];
  const retrier = new Retrier({
    store: retries,
    clock,
    take: async (messages) => {
      taken.push({ ids: [...messages.page.ids], atMs: clock.monotonic(), messages });
      await clock.sleep(1);
      if (delivers) deliver(messages);
    },
    onFailure: (error) => failures.push(error),
  });
  const pass = (ms: number) => clock.run(clock.sleep(ms));
  return { clock, kept, retries, taken, failures, retrier, pass };
}

function deliver({ page, progress }: Consignment): void {
  for (let row = 0; row < page.count; row++) progress.settle(row);
}

Deno.test("Retrier sends what was asked for, once, in order, and finishes it", async () => {
  const { kept, taken, retrier, pass } = await setup(2_500, true);
  retrier.wake();
  await pass(1_000);
  assert.equal(taken.length, 0, "nothing was asked for");
  kept.request();
  retrier.wake();
  await pass(1_000);
  assert.deepEqual(taken.map(({ ids }) => ids.length), [LIMITS.retryRows, LIMITS.retryRows, 500]);
  assert.deepEqual(taken.flatMap(({ ids }) => ids), Array.from({ length: 2_500 }, (_, i) => i + 1));
  assert.deepEqual([kept.letters.size, kept.finished], [0, [1]]);
});

Deno.test("Retrier takes requests one after the other, and those that come while it works", async () => {
  const { kept, retrier, pass } = await setup(10, true);
  kept.request();
  retrier.wake();
  kept.request();
  await pass(2);
  kept.request();
  retrier.wake();
  await pass(1_000);
  assert.deepEqual(kept.finished, [1, 2, 3]);
});

Deno.test("Retrier finishes nothing before every letter has its outcome", async () => {
  const { kept, taken, retrier, pass } = await setup(3);
  kept.request();
  retrier.wake();
  await pass(60_000);
  const { messages } = taken[0]!;
  messages.progress.settle(0);
  await messages.refuse([{ ...letterOf(2), row: 1 }]);
  await pass(60_000);
  assert.deepEqual([kept.letters.size, kept.finished, taken.length], [2, [], 1]);
  messages.progress.drop(2);
  await pass(1_000);
  assert.deepEqual(kept.finished, [1]);
  assert.deepEqual([...kept.letters.values()].map(({ letter, retries }) => [letter.messageId, retries]), [[
    2,
    1,
  ]]);
});

Deno.test("Retrier has a letter that fails once refused: nobody else waits for its attempts", async () => {
  const { kept, taken, retrier, pass } = await setup(1);
  kept.request();
  retrier.wake();
  await pass(100);
  assert.equal(taken[0]!.messages.attemptsMax, 1);
});

Deno.test("Retrier has no more letters on their way than a few pages, however many there are", async () => {
  const { kept, taken, retrier, pass } = await setup(10_000);
  kept.request();
  retrier.wake();
  await pass(60_000);
  assert.equal(taken.length, LIMITS.retryPages);
  deliver(taken[0]!.messages);
  await pass(1_000);
  assert.equal(taken.length, LIMITS.retryPages + 1);
});

Deno.test("Retrier keeps to a rate, evenly", async () => {
  for (const [rate, ms] of [[5, 1_000], [100, 300], [1_000, 300]] as const) {
    const { kept, taken, retrier, pass } = await setup(1_000, true);
    kept.request(rate);
    retrier.wake();
    await pass(ms);
    const sent = taken.flatMap(({ ids }) => ids).length;
    const most = rate * ms / 1_000 + Math.max(1, rate / 10);
    assert.ok(
      sent <= most && sent >= rate * ms / 1_000 - rate / 10,
      `${sent} in ${ms} ms at ${rate} a second`,
    );
    for (const { ids } of taken) assert.ok(ids.length <= Math.max(1, rate / 10));
  }
});

Deno.test("Retrier that is stopped reads no more, writes what still comes, and finishes nothing", async () => {
  const { clock, kept, taken, retrier, pass } = await setup(2_500);
  kept.request();
  retrier.wake();
  await pass(2);
  assert.ok(taken.length < 3);
  await clock.run(retrier.stop());
  const pages = taken.length;
  deliver(taken[0]!.messages);
  await clock.run(retrier.flush());
  assert.equal(kept.letters.size, 2_500 - LIMITS.retryRows);
  retrier.wake();
  await pass(1_000);
  assert.deepEqual([taken.length, kept.finished], [pages, []]);
});

Deno.test("Retrier that is closed writes nothing any more", async () => {
  const { kept, taken, retrier, pass } = await setup(10);
  kept.request();
  retrier.wake();
  await pass(10);
  retrier.close();
  deliver(taken[0]!.messages);
  await pass(1_000);
  assert.deepEqual([kept.letters.size, kept.finished], [10, []]);
});

Deno.test("Retrier tells once that the database does not answer", async () => {
  const { clock, kept, retries, failures, pass } = await setup(10);
  kept.request();
  const retrier = new Retrier({
    store: { ...retries, read: () => Promise.reject(new Error("down")) },
    clock,
    take: () => Promise.resolve(),
    onFailure: (error) => failures.push(error),
  });
  retrier.wake();
  await pass(100);
  retrier.wake();
  await pass(100);
  assert.deepEqual(failures.map(String), ["Error: down"]);
});
