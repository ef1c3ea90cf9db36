import assert from "node:assert/strict";
import {
  endText,
  lettersOf,
  letterText,
  listText,
  progressText,
  retryLines,
  statusText,
} from "../../../src/cli/dlq_text.ts";
import type { ListedLetter, ShownRetry } from "../../../src/pg/letter_office.ts";

const LETTER: ListedLetter = {
  id: 7,
  pipeline: "orders-to-kafka",
  outbox: "orders",
  message_id: 42,
  op: "insert",
  stage: "deliver",
  failure: "rejected",
  code: "MESSAGE_TOO_LARGE",
  reason: "it has 2 MB",
  attempts: 1,
  retries: 0,
  retry: null,
  topic: null,
  record_key: null,
  partition: null,
  revision: 3,
  created_at: "2026-01-31T11:00:00.000Z",
  first_failed_at: "2026-01-31T12:00:00.000Z",
  failed_at: "2026-01-31T12:00:00.000Z",
};

const RETRY: ShownRetry = {
  retry: 3,
  pipeline: "new",
  source: "old",
  letter: null,
  code: null,
  before: null,
  rate: 50,
  letters: 200,
  delivered: 100,
  filtered: 0,
  refused: 0,
  waiting: 100,
  state: "open",
  requested_by: "ops",
  requested_at: "2026-01-31T12:00:00.000Z",
  finished_at: null,
};

Deno.test("listText() shows each letter with its reason below, and what to do", () => {
  const lines = listText([LETTER, { ...LETTER, id: 1_000, topic: "t", retry: 3 }], true);
  assert.deepEqual(lines, [
    "ID    PIPELINE         MESSAGE  OP      STAGE    CODE               ATTEMPTS  TOPIC  FAILED",
    "7     orders-to-kafka  42       insert  deliver  MESSAGE_TOO_LARGE  1         -      2026-01-31T12:00:00.000Z",
    "    it has 2 MB",
    "1000  orders-to-kafka  42       insert  deliver  MESSAGE_TOO_LARGE  1         t      2026-01-31T12:00:00.000Z",
    "    it has 2 MB",
    "    It is to be sent again: retry 3",
    "There are more: --after 1000 shows those behind.",
    "pg-tide dlq show 7 shows one whole. Once the cause is gone, pg-tide dlq retry --pipeline orders-to-kafka sends them again.",
  ]);
  assert.deepEqual(listText([], false), ["There are no such dead letters."]);
});

Deno.test("listText() and letterText() let nothing that was published steer the terminal", () => {
  const evil = "a\x1b[2Jb\r\nc\x9bd";
  const texts = [
    ...listText([{ ...LETTER, reason: evil, topic: evil }], false),
    ...letterText({
      letter: JSON.stringify({ ...LETTER, record_key: evil }),
      ...{ headers: null, payload: '"\\u001b"', edited_payload: null, previous: null },
    }),
  ];
  assert.ok(texts.some((text) => text.includes("a\\u001b[2Jb\\u000d\\u000ac\\u009bd")), texts.join("\n"));
  // deno-lint-ignore no-control-regex -- that is what is looked for
  for (const text of texts) assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f]/);
});

Deno.test("letterText() shows what a letter holds digit for digit, and leaves out what it lacks", () => {
  const lines = letterText({
    letter: JSON.stringify(LETTER),
    headers: null,
    payload: '{"n": 12345678901234567890.10}',
    edited_payload: '{"n": 1}',
    previous: null,
  });
  assert.ok(lines.includes('payload          {"n": 12345678901234567890.10}'), lines.join("\n"));
  assert.ok(lines.includes('edited_payload   {"n": 1}'));
  assert.ok(!lines.some((line) => /^(headers|previous|topic) /.test(line)));
  assert.match(lines.at(-1)!, /dlq retry --id 7 .*--payload FILE/);
});

Deno.test("retryLines() and lettersOf() count as one speaks", () => {
  assert.deepEqual([0, 1, 2].map(lettersOf), ["No dead letter", "1 dead letter", "2 dead letters"]);
  assert.deepEqual(retryLines({ retry: null, letters: 0 }, false), ["No dead letter matches."]);
  assert.deepEqual(retryLines({ retry: null, letters: 2 }, true), ["2 dead letters would be sent again."]);
  assert.deepEqual(retryLines({ retry: 9, letters: 1 }, false), [
    "Retry 9 sends 1 dead letter again.",
    "pg-tide dlq status shows how far it has come; pg-tide dlq cancel 9 calls it off.",
  ]);
});

Deno.test("progressText() and endText() tell what became of the letters", () => {
  assert.equal(progressText(RETRY), "Retry 3: 100 of 200 delivered, 50 %");
  const some = { ...RETRY, delivered: 90, filtered: 5, refused: 3, waiting: 102 };
  assert.equal(progressText(some), "Retry 3: 90 of 200 delivered, 5 filtered out, 3 refused again, 49 %");
  const done = { ...RETRY, state: "finished" as const, waiting: 0 };
  assert.deepEqual(endText({ ...done, delivered: 200 }), ["Retry 3 is done: 200 of 200 delivered."]);
  assert.deepEqual(endText({ ...done, delivered: 190, refused: 4 }), [
    "Retry 3 is done: 190 of 200 delivered, 4 refused again.",
    "6 were gone when their turn came: discarded, or sent by another retry.",
    "pg-tide dlq list --pipeline old shows why they were refused.",
  ]);
  assert.deepEqual(endText({ ...done, state: "cancelled" }), [
    "Retry 3 was called off: 100 of 200 delivered.",
  ]);
});

Deno.test("statusText() sums letters up, and shows what was asked for", () => {
  assert.deepEqual(statusText([], []), ["There are no dead letters."]);
  const sum = {
    pipeline: "p",
    code: "CODE",
    letters: 12,
    first_failed_at: "2026-01-01T00:00:00.000Z",
    failed_at: "2026-01-02T00:00:00.000Z",
  };
  assert.deepEqual(statusText([sum], [RETRY, { ...RETRY, rate: null }]), [
    "PIPELINE  CODE  DEAD LETTERS  FIRST FAILED              LAST FAILED",
    "p         CODE  12            2026-01-01T00:00:00.000Z  2026-01-02T00:00:00.000Z",
    "",
    "RETRY  PIPELINE  STATE  LETTERS  DELIVERED  FILTERED  REFUSED  WAITING  RATE  ASKED FOR",
    "3      new       open   200      100        0         0        100      50/s  2026-01-31T12:00:00.000Z",
    "3      new       open   200      100        0         0        100      -     2026-01-31T12:00:00.000Z",
  ]);
});
