import assert from "node:assert/strict";
import { LIMITS } from "../../../src/base/limits.ts";
import { type Casualty, DeadLetterDesk } from "../../../src/deliver/dead_letter_desk.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import { PageProgress } from "../../../src/record/progress.ts";
import { pageOf, windowOf } from "../../support/pages.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

function setup(lettersMax: number) {
  const clock = new VirtualClock();
  const world = { kept: [] as DeadLetter[], counts: 0, refuses: false };
  const states: string[] = [];
  const failures: unknown[] = [];
  const desk = new DeadLetterDesk({
    store: {
      keep: async (letters) => {
        await clock.sleep(1);
        if (world.refuses) throw new Error("fenced");
        world.kept.push(...letters);
      },
      count: (most) => {
        world.counts++;
        return Promise.resolve(Math.min(most, world.kept.length));
      },
    },
    lettersMax,
    clock,
    onSettled: () => {},
    onState: (state) => states.push("code" in state ? state.code : state.state),
    onFailure: (error) => failures.push(error),
  });
  return { clock, world, states, failures, desk };
}

function casualty(row: number): Casualty {
  return {
    row,
    recordIndex: 0,
    stage: "route",
    failure: "rejected",
    code: "CODE",
    reason: "why",
    attempts: 1,
    topic: null,
    recordKey: null,
    partition: null,
  };
}

/** File all messages of a page. */
function fileAll(desk: DeadLetterDesk, ids: readonly number[]) {
  const page = pageOf(ids);
  const progress = new PageProgress(page.ids, windowOf(1, 0, 1_000), "run");
  return { progress, filing: desk.file(page, progress, ids.map((_, row) => casualty(row))) };
}

Deno.test("DeadLetterDesk calls a message final when its letter is kept, and counts no more than once", async () => {
  const { clock, world, desk } = setup(100);
  const first = fileAll(desk, [1, 2, 3]);
  assert.equal(first.progress.open, 3);
  await clock.run(first.filing);
  await clock.run(fileAll(desk, [4]).filing);
  assert.equal(first.progress.open, 0);
  assert.deepEqual(world.kept.map(({ messageId }) => messageId), [1, 2, 3, 4]);
  assert.deepEqual([world.counts, desk.filed], [1, 4]);
});

Deno.test("DeadLetterDesk keeps as many as there is room for, then waits for room, and says so", async () => {
  const { clock, world, states, desk } = setup(3);
  const { progress, filing } = fileAll(desk, [1, 2, 3, 4, 5]);
  await clock.run(clock.sleep(3 * LIMITS.deadLettersFullMs));
  assert.deepEqual([world.kept.length, progress.open], [3, 2]);
  assert.equal(progress.frontier()?.lastId, 3, "nothing passes a message that is not kept");
  assert.equal(new Set(states).size, 1);
  assert.equal(states[0], "DEAD_LETTERS_FULL");
  // Somebody discards one, then another.
  for (const left of [1, 0]) {
    world.kept.shift();
    await clock.run(clock.sleep(2 * LIMITS.deadLettersFullMs));
    assert.deepEqual([world.kept.length, progress.open], [3, left]);
  }
  await clock.run(filing);
  assert.equal(states.at(-1), "running");
});

Deno.test("DeadLetterDesk that is hurried keeps what has room and leaves the rest pending", async () => {
  const { clock, world, desk } = setup(2);
  const { progress, filing } = fileAll(desk, [1, 2, 3]);
  await clock.run(clock.sleep(10));
  desk.hurry();
  await clock.run(filing);
  await clock.run(desk.flush());
  assert.deepEqual([world.kept.length, progress.open], [2, 1]);
});

Deno.test("DeadLetterDesk holds up whoever reads while too much waits to be filed, and no longer", async () => {
  const { clock, world, desk } = setup(1);
  // The first finds room.
  const filings = Array.from({ length: LIMITS.filingsAhead + 2 }, (_, i) => fileAll(desk, [i + 1]).filing);
  let ready = false;
  const waiting = desk.ready().then(() => ready = true);
  await clock.run(clock.sleep(60_000));
  assert.equal(ready, false);
  world.kept.length = 0;
  await clock.run(waiting);
  await clock.run(fileAll(desk, []).filing);
  const more = fileAll(desk, [50]).filing;
  const stuck = desk.ready();
  desk.hurry();
  await clock.run(Promise.all([...filings, more, stuck]));
  assert.equal(world.kept.length, 1);
});

Deno.test("DeadLetterDesk settles nothing that was not kept", async () => {
  const { clock, world, failures, desk } = setup(100);
  world.refuses = true;
  const { progress, filing } = fileAll(desk, [1]);
  await clock.run(filing);
  assert.equal(progress.open, 1);
  assert.match(String(failures), /fenced/);
});
