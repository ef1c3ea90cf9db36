/**
 * Dead letters on their way back: read page by page, gone or kept as their outcomes say, and fenced by lease, holder and life.
 */

import assert from "node:assert/strict";
import { textAt } from "@pg-tide/sdk";
import { FencedError } from "../../../src/base/errors.ts";
import { LIMITS } from "../../../src/base/limits.ts";
import { SourceError } from "../../../src/read/mod.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import type {
  LetterOutcome,
  LetterPage,
  Refusal,
  RetryRequest,
  RetryStore,
} from "../../../src/record/letter.ts";
import { NEWEST, PIPELINE, sessionTest, type TideSession } from "../../support/tide_session.ts";
import { waitUntil } from "../../support/wait.ts";

const LETTER: DeadLetter = {
  messageId: 7,
  recordIndex: 0,
  stage: "route",
  failure: "rejected",
  code: "TEMPLATE_VALUE_MISSING",
  reason: "nothing",
  attempts: 3,
  createdMs: 1_700_000_000_123.456,
  op: "insert",
  dedupKey: null,
  payload: "{}",
  headers: null,
  previous: null,
  topic: null,
  recordKey: null,
  partition: null,
};

const REFUSAL: Refusal = {
  stage: "deliver",
  failure: "exhausted",
  code: "MESSAGE_TOO_LARGE",
  reason: "too large",
  topic: "t",
  recordKey: "rk",
  partition: 3,
};

const ALL = { rows: 1_000, bytes: 1_000_000 };

/** File letters of these messages, ask for all of them to be sent again, and read them. */
async function askAndRead(tide: TideSession, messageIds: readonly number[]) {
  const session = await tide.openOutbox();
  await session.deadLetters.keep(messageIds.map((messageId) => ({ ...LETTER, messageId })));
  await retry(tide);
  const request = (await session.retries.next())!;
  const letters = (await session.retries.read(request, 0, ALL))!;
  return { ...session, request, letters };
}

async function retry(tide: TideSession, more = ""): Promise<void> {
  await tide.database.sql.unsafe(`SELECT * FROM tide.dlq_retry('${PIPELINE}'${more})`);
}

/** Settle all letters of a page with these outcomes, in order. */
async function settle(
  store: RetryStore,
  request: RetryRequest,
  { letters, readAt }: LetterPage,
  outcomes: readonly LetterOutcome[],
): Promise<void> {
  await store.settle(request, outcomes.map((outcome, i) => ({ letter: letters[i]!, readAt, outcome })));
}

async function kept(tide: TideSession) {
  const rows = await tide.database.sql`
    SELECT message_id::integer, stage, failure, code, reason, attempts, retries, revision::integer, topic, record_key, partition,
      first_failed_at < failed_at AS again, retried_at < failed_at AS retried
    FROM tide.dead_letter ORDER BY id`;
  return rows.map((row) => ({ ...row }));
}

async function progressOf(tide: TideSession, retry = 1) {
  const [row] = await tide.database.sql`
    SELECT letters::integer, delivered::integer, filtered::integer, refused::integer, waiting::integer, state
    FROM tide.dlq_retries(p_retry => ${retry})`;
  return { ...row };
}

sessionTest("LetterTable gives letters as the messages they were", async (tide) => {
  const { deadLetters, retries } = await tide.openOutbox();
  const whole: DeadLetter = {
    ...LETTER,
    op: "update",
    dedupKey: "ä",
    payload: '{"a": "\\u0001 ü\\n", "n": 12345678901234567890}',
    headers: '{"h": "1"}',
    previous: '{"a": 0}',
  };
  await deadLetters.keep([whole, { ...LETTER, messageId: 5, op: "truncate" }, {
    ...LETTER,
    messageId: 6,
    op: "delete",
  }]);
  await tide.database
    .sql`UPDATE tide.dead_letter SET incarnation = 'cafe0001', retries = 4 WHERE message_id = 5`;
  assert.equal(await retries.next(), null);
  await retry(tide, ", p_rate => 50");
  const request = await retries.next();
  assert.deepEqual(request, { id: 1, rate: 50 });
  const letters = (await retries.read(request!, 0, ALL))!;
  const { page } = letters;
  assert.deepEqual(letters.letters, [1, 2, 3].map((id) => ({ id, edits: 0 })));
  assert.deepEqual([[...page.ids], [...page.ops]], [[7, 5, 6], [1, 4, 2]]);
  assert.ok(Math.abs(page.createdMs[0]! - LETTER.createdMs) < 0.001);
  const texts = (["dedupKey", "payload", "headers", "previous"] as const).map((name) =>
    textAt(page[name], 0)
  );
  assert.deepEqual(texts, [whole.dedupKey, whole.payload, whole.headers, whole.previous]);
  assert.deepEqual([textAt(page.dedupKey, 1), textAt(page.headers, 1), textAt(page.payload, 1)], [
    null,
    null,
    "{}",
  ]);
  const [own, old] = page.resent!.incarnations;
  assert.match(own!, /^[0-9a-f]{8}$/);
  assert.equal(old, "cafe0001");
  assert.deepEqual([...page.resent!.retries], [1, 5, 1]);
  assert.ok(Math.abs(Date.parse(letters.readAt) - Date.now()) < 60_000, letters.readAt);
});

sessionTest("LetterTable reads behind an id, in pages bounded by rows and bytes", async (tide) => {
  const { deadLetters, retries } = await tide.openOutbox();
  const sizes = [10, 10, 5_000, 10, 10];
  await deadLetters.keep(
    sizes.map((size, i) => ({ ...LETTER, messageId: i + 1, payload: `"${"x".repeat(size)}"` })),
  );
  await retry(tide);
  const request = (await retries.next())!;
  const pages: number[][] = [];
  for (let after = 0;;) {
    const read = await retries.read(request, after, { rows: 3, bytes: 100 });
    if (read === null) break;
    pages.push([...read.page.ids]);
    after = read.letters.at(-1)!.id;
  }
  assert.deepEqual(pages, [[1, 2], [3], [4, 5]]);
});

sessionTest("LetterTable gives what was asked for and no more", async (tide) => {
  const { deadLetters, retries } = await tide.openOutbox();
  const codes = ["A", "B", "A", "B", "A"];
  await deadLetters.keep(codes.map((code, i) => ({ ...LETTER, messageId: i + 1, code })));
  await tide.database.sql`
    UPDATE tide.dead_letter SET failed_at = timestamptz '2026-01-01T00:00:00Z' + make_interval(days => message_id::integer)`;
  for (const more of [", p_code => 'A'", ", p_before => '2026-01-04T00:00:00Z'", ", 4"]) {
    await retry(tide, more);
  }
  await deadLetters.keep([{ ...LETTER, messageId: 9, code: "A" }]);
  for (const expected of [[1, 3, 5], [1, 2], [4]]) {
    const request = (await retries.next())!;
    const read = await retries.read(request, 0, ALL);
    assert.deepEqual([...read!.page.ids], expected);
    await retries.finish(request);
  }
  assert.equal(await retries.next(), null);
});

sessionTest("LetterTable deletes what is done, and keeps why the rest was refused", async (tide) => {
  await tide.configure({ topic: "t" });
  const { retries, request, letters } = await askAndRead(tide, [1, 2, 3]);
  const long = { ...REFUSAL, reason: "x".repeat(LIMITS.textMax + 1), recordKey: "a\0" };
  await settle(retries, request, letters, ["delivered", "filtered", long]);
  assert.deepEqual(await kept(tide), [{
    message_id: 3,
    ...{
      stage: "deliver",
      failure: "exhausted",
      code: "MESSAGE_TOO_LARGE",
      reason: "x".repeat(LIMITS.textMax),
    },
    ...{ attempts: 4, retries: 1, revision: 2, topic: "t", record_key: "a\ufffd", partition: 3 },
    again: true,
    retried: true,
  }]);
  const counts = { letters: 3, delivered: 1, filtered: 1, refused: 1, waiting: 0 };
  assert.deepEqual(await progressOf(tide), { ...counts, state: "open" });
  assert.equal(await retries.read(request, 0, ALL), null, "what was tried for it is not tried again");
  await retries.finish(request);
  assert.deepEqual(await progressOf(tide), { ...counts, state: "finished" });
  await retry(tide);
  const again = await retries.read((await retries.next())!, 0, ALL);
  assert.deepEqual([...again!.page.resent!.retries], [2]);
});

sessionTest("a letter that was tried while it was asked for again is tried again for that", async (tide) => {
  const { retries, request, letters } = await askAndRead(tide, [1]);
  // Somebody removes the cause and asks, while an attempt from before that is on its way.
  await retry(tide);
  await settle(retries, request, letters, [REFUSAL]);
  await retries.finish(request);
  const next = (await retries.next())!;
  assert.deepEqual([...(await retries.read(next, 0, ALL))!.page.ids], [1]);
}, { versions: NEWEST });

sessionTest(
  "a letter that is edited while it is on its way stays, and goes out as it is now",
  async (tide) => {
    for (const outcome of ["delivered", REFUSAL] as const) {
      await tide.database.sql`DELETE FROM tide.dead_letter`;
      const { retries, request, letters } = await askAndRead(tide, [1]);
      const { id } = letters.letters[0]!;
      await tide.database.sql`SELECT * FROM tide.dlq_retry(p_id => ${id}, p_payload => '{"edited": 1.10}')`;
      await settle(retries, request, letters, [outcome]);
      await retries.finish(request);
      const next = (await retries.next())!;
      const edited = (await retries.read(next, 0, ALL))!;
      assert.equal(textAt(edited.page.payload, 0), '{"edited": 1.10}');
      assert.deepEqual(edited.letters, [{ id, edits: 1 }]);
      const [row] = await tide.database.sql`SELECT payload, edited_payload, retries FROM tide.dead_letter`;
      assert.deepEqual({ ...row }, { payload: "{}", edited_payload: '{"edited": 1.10}', retries: 0 });
      await settle(retries, next, edited, ["delivered"]);
      await retries.finish(next);
      assert.deepEqual(await kept(tide), []);
    }
  },
);

sessionTest("a request that is called off gives no more letters, and stays called off", async (tide) => {
  const { retries, request, letters } = await askAndRead(tide, [1, 2]);
  await tide.database.sql`SELECT tide.dlq_cancel(${request.id})`;
  assert.equal(await retries.read(request, 0, ALL), null);
  await settle(retries, request, letters, ["delivered", REFUSAL]);
  await retries.finish(request);
  const { state, ...counts } = await progressOf(tide);
  assert.deepEqual([state, counts["delivered"], counts["refused"]], ["cancelled", 1, 1]);
  assert.equal((await kept(tide)).length, 1);
}, { versions: NEWEST });

sessionTest("a letter that is discarded while it is on its way is no trouble", async (tide) => {
  const { retries, request, letters } = await askAndRead(tide, [1, 2]);
  await tide.database.sql`SELECT tide.dlq_discard(${PIPELINE})`;
  await settle(retries, request, letters, ["delivered", REFUSAL]);
  assert.deepEqual(await kept(tide), []);
}, { versions: NEWEST });

sessionTest("newlines that somebody has put into a letter by hand do not tear its page", async (tide) => {
  const { retries, request } = await askAndRead(tide, [1, 2]);
  await tide.database.sql`
    UPDATE tide.dead_letter SET payload = E'{\n "a": 1\n}', headers = E'{\n"h": "1"}' WHERE message_id = 1`;
  const { page } = (await retries.read(request, 0, ALL))!;
  assert.deepEqual(JSON.parse(textAt(page.payload, 0)!), { a: 1 });
  assert.deepEqual([textAt(page.payload, 1), textAt(page.headers, 1)], ["{}", null]);
}, { versions: NEWEST });

type Asked = Awaited<ReturnType<typeof askAndRead>>;

const WRITES: readonly (readonly [string, (asked: Asked) => Promise<void>])[] = [
  [
    "what became of letters",
    ({ retries, request, letters }) => settle(retries, request, letters, ["delivered", REFUSAL]),
  ],
  ["the end of a request", ({ retries, request }) => retries.finish(request)],
];

for (const [what, write] of WRITES) {
  sessionTest(
    `a relay that waits to write ${what} while another takes its lease writes nothing`,
    async (tide) => {
      const asked = await askAndRead(tide, [1, 2]);
      const before = [await kept(tide), await progressOf(tide)];
      const taker = tide.database.connect();
      await taker`BEGIN`;
      await taker`UPDATE tide.lease SET holder = 'another', epoch = nextval('tide.lease_epoch') WHERE pipeline = ${PIPELINE}`;
      const writing = assert.rejects(() => write(asked), FencedError);
      await waitUntil(async () => {
        const [row] = await tide.database.sql`
        SELECT count(*)::integer AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
        return row!["count"] > 0;
      }, { what: "the relay to wait" });
      await taker`COMMIT`;
      await writing;
      assert.deepEqual([await kept(tide), await progressOf(tide)], before);
    },
  );

  sessionTest(`nobody writes ${what} without the lease, or in another life of the server`, async (tide) => {
    const asked = await askAndRead(tide, [1, 2]);
    const before = [await kept(tide), await progressOf(tide)];
    await tide.database.sql`TRUNCATE tide.server_life`;
    await assert.rejects(() => write(asked), SourceError);
    await assert.rejects(() => asked.retries.read(asked.request, 0, ALL), SourceError);
    await tide.database.sql`INSERT INTO tide.server_life (token) VALUES ('another')`;
    await assert.rejects(() => write(asked), SourceError);
    await assert.rejects(() => asked.retries.read(asked.request, 0, ALL), SourceError);
    await tide.takeOver("another relay");
    await assert.rejects(() => write(asked), FencedError);
    assert.deepEqual([await kept(tide), await progressOf(tide)], before);
  }, { versions: NEWEST });
}
