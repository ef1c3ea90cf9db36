import assert from "node:assert/strict";
import { InvariantError } from "../../../src/base/invariant.ts";
import {
  type LetterPage,
  LetterProgress,
  type Refusal,
  type SettledLetter,
} from "../../../src/record/letter.ts";
import { pageOf } from "../../support/pages.ts";

const REFUSAL: Refusal = {
  stage: "deliver",
  failure: "rejected",
  code: "MESSAGE_TOO_LARGE",
  reason: "too large",
  topic: "t",
  recordKey: null,
  partition: null,
};

function setup(count: number) {
  const ids = Array.from({ length: count }, (_, i) => 10 - i);
  const letters: LetterPage = {
    page: pageOf(ids),
    letters: ids.map((_, i) => ({ id: 100 + i, edits: i })),
    readAt: "now",
  };
  const settled: SettledLetter[] = [];
  const progress = new LetterProgress(letters, (one) => settled.push(one));
  const outcomes = () => settled.map(({ letter, outcome }) => [letter.id, outcome]);
  return { progress, settled, outcomes };
}

Deno.test("LetterProgress tells each letter's outcome once, with what it was when it was read", () => {
  const { progress, settled } = setup(3);
  progress.settle(2);
  progress.drop(0);
  progress.refuse(1, REFUSAL);
  assert.deepEqual(settled, [
    { letter: { id: 102, edits: 2 }, readAt: "now", outcome: "delivered" },
    { letter: { id: 100, edits: 0 }, readAt: "now", outcome: "filtered" },
    { letter: { id: 101, edits: 1 }, readAt: "now", outcome: REFUSAL },
  ]);
  for (const again of [() => progress.settle(2), () => progress.drop(0), () => progress.expect(1, 1)]) {
    assert.throws(again, InvariantError);
  }
});

Deno.test("LetterProgress waits for all records of a message, and one that is refused refuses the letter", () => {
  const { progress, outcomes } = setup(2);
  progress.expect(0, 2);
  progress.expect(1, 1);
  progress.settle(0);
  progress.refuse(1, REFUSAL);
  progress.settle(0);
  assert.deepEqual(outcomes(), []);
  progress.settle(0);
  progress.settle(1);
  assert.deepEqual(outcomes(), [[100, "delivered"], [101, REFUSAL]]);
});

Deno.test("LetterProgress keeps the first of several reasons", () => {
  const { progress, outcomes } = setup(1);
  progress.expect(0, 1);
  progress.refuse(0, REFUSAL);
  progress.refuse(0, { ...REFUSAL, code: "OTHER" });
  assert.deepEqual(outcomes(), [[100, REFUSAL]]);
});
