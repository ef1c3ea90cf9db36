import assert from "node:assert/strict";
import type { RetryStore, SettledLetter } from "../../../src/record/letter.ts";
import { LetterOutcomes } from "../../../src/run/letter_outcomes.ts";
import { NO_RETRIES } from "../../support/fake_letters.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const REQUEST = { id: 1, rate: null };

const delivered = (id: number): SettledLetter => ({
  letter: { id, edits: 0 },
  readAt: "now",
  outcome: "delivered",
});

function setup() {
  const clock = new VirtualClock();
  const batches: number[][] = [];
  const failures: unknown[] = [];
  const world = { fails: false };
  const store: RetryStore = {
    ...NO_RETRIES,
    settle: async (_request, letters) => {
      await clock.sleep(5);
      if (world.fails) throw new Error("fenced");
      batches.push(letters.map(({ letter }) => letter.id));
    },
  };
  const outcomes = new LetterOutcomes(store, REQUEST, clock, (error) => failures.push(error));
  return { clock, batches, failures, world, outcomes };
}

Deno.test("LetterOutcomes writes what comes at once as one batch, and what comes meanwhile as the next", async () => {
  const { clock, batches, outcomes } = setup();
  outcomes.expect(5);
  for (const id of [1, 2, 3]) outcomes.note(delivered(id));
  await clock.run(clock.sleep(1));
  outcomes.note(delivered(4));
  outcomes.note(delivered(5));
  await clock.run(outcomes.settled(0));
  assert.deepEqual(batches, [[1, 2, 3], [4, 5]]);
});

Deno.test("LetterOutcomes counts a letter as settled when that is written, not before", async () => {
  const { clock, outcomes } = setup();
  outcomes.expect(2);
  let settled = false;
  const waiting = outcomes.settled(1).then(() => settled = true);
  outcomes.note(delivered(1));
  await clock.run(clock.sleep(4));
  assert.equal(settled, false);
  await clock.run(waiting);
  let all = false;
  const rest = outcomes.settled(0).then(() => all = true);
  await clock.run(clock.sleep(1_000));
  assert.equal(all, false, "one is still on its way");
  outcomes.note(delivered(2));
  await clock.run(rest);
});

Deno.test("LetterOutcomes tells a failure once, writes nothing afterwards, and holds nobody up", async () => {
  const { clock, batches, failures, world, outcomes } = setup();
  world.fails = true;
  outcomes.expect(3);
  outcomes.note(delivered(1));
  await clock.run(outcomes.settled(0));
  world.fails = false;
  outcomes.note(delivered(2));
  await clock.run(outcomes.flush());
  await clock.run(clock.sleep(100));
  assert.deepEqual([batches, failures.length], [[], 1]);
});
