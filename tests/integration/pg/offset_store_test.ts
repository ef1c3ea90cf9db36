/**
 * Saving positions and dead letters: appended, and fenced by lease, holder and life.
 */

import assert from "node:assert/strict";
import type postgres from "postgres";
import { FencedError } from "../../../src/base/errors.ts";
import { SourceError } from "../../../src/read/mod.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import type { Position } from "../../../src/record/position.ts";
import type { OutboxSession } from "../../../src/run/mod.ts";
import { windowOf } from "../../support/pages.ts";
import { NEWEST, PIPELINE, sessionTest, type TideSession } from "../../support/tide_session.ts";
import { waitUntil } from "../../support/wait.ts";

const at = (window: number, lastId: number): Position => ({
  window: windowOf(window, 100 * (window - 1), 100 * window),
  phase: "run",
  lastId,
});

const LETTER: DeadLetter = {
  messageId: 7,
  recordIndex: 0,
  stage: "deliver",
  failure: "rejected",
  code: "TOO_LARGE",
  reason: "too large",
  attempts: 3,
  createdMs: 1_700_000_000_123.456,
  op: "update",
  dedupKey: "k",
  payload: '{"a": "\\u0001 ü", "n": 12345678901234567890}',
  headers: '{"h": "1"}',
  previous: null,
  topic: "t",
  recordKey: "rk",
  partition: 7,
};

async function windowsOf(tide: TideSession): Promise<number[]> {
  const rows = await tide.database.sql<{ number: number }[]>`
    SELECT number::integer FROM tide.window WHERE pipeline = ${PIPELINE} ORDER BY number`;
  return rows.map(({ number }) => number);
}

async function deadLetters(tide: TideSession) {
  return [
    ...await tide.database.sql`
      SELECT pipeline, outbox, message_id::integer, record_index, stage, failure, code, reason, attempts, revision::integer, op, dedup_key, payload,
        headers, previous, topic, record_key, partition, (extract(epoch FROM created_at) * 1000000)::bigint::text AS micros
      FROM tide.dead_letter ORDER BY id`,
  ];
}

sessionTest("PostgresOffsetStore appends positions, and saves each window once", async (tide) => {
  const epoch = await tide.acquire();
  const { offsets } = await tide.openOutbox(epoch);
  for (const position of [at(1, 10), at(1, 20), at(3, 210), at(3, 220)]) await offsets.save(position);
  assert.deepEqual(await tide.savedPositions(), [
    { window: 3, phase: "run", lastId: 220, epoch },
    { window: 3, phase: "run", lastId: 210, epoch },
    { window: 1, phase: "run", lastId: 20, epoch },
    { window: 1, phase: "run", lastId: 10, epoch },
  ]);
  assert.deepEqual(await windowsOf(tide), [1, 3]);
});

sessionTest("PostgresOffsetStore goes on in the window of the saved position", async (tide) => {
  const first = await tide.openOutbox();
  await first.offsets.save(at(2, 150));
  const second = await tide.openOutbox(undefined, "another relay");
  assert.ok("position" in second.start);
  assert.deepEqual(second.start.position, at(2, 150));
  await second.offsets.save(at(2, 160));
  await second.offsets.save(at(3, 220));
  assert.deepEqual(await windowsOf(tide), [2, 3]);
  assert.deepEqual((await tide.savedPositions()).map(({ lastId }) => lastId), [220, 160, 150]);
});

sessionTest("PostgresOffsetStore refuses a window that was saved with other marks", async (tide) => {
  const first = await tide.openOutbox();
  const second = await tide.openOutbox();
  await second.offsets.save(at(1, 10));
  await assert.rejects(() => first.offsets.save(at(1, 20)), FencedError);
  const epoch = await tide.takeOver("relay");
  const stale = await tide.openOutbox(epoch);
  const fresh = await tide.openOutbox(epoch);
  await fresh.offsets.save(at(2, 110));
  await assert.rejects(() => stale.offsets.save(at(2, 120)), SourceError);
  assert.deepEqual((await tide.savedPositions()).map(({ lastId }) => lastId), [110, 10]);
});

/** Saves and dead letters are fenced alike. */
const WRITES: readonly (readonly [string, (session: OutboxSession) => Promise<void>])[] = [
  ["the first position of a window", ({ offsets }) => offsets.save(at(2, 110))],
  ["a position", ({ offsets }) => offsets.save(at(1, 20))],
  ["dead letters", ({ deadLetters }) => deadLetters.keep([LETTER])],
];

for (const [what, write] of WRITES) {
  sessionTest(
    `a relay that waits to write ${what} while another takes its lease writes nothing`,
    async (tide) => {
      const session = await tide.openOutbox();
      await session.offsets.save(at(1, 10));
      const taker = tide.database.connect();
      await taker`BEGIN`;
      const [before] = await taker`
      UPDATE tide.lease SET holder = 'another relay', epoch = nextval('tide.lease_epoch') WHERE pipeline = ${PIPELINE}
      RETURNING (SELECT last_id::integer FROM tide.position_log ORDER BY n DESC LIMIT 1) AS read`;
      const writing = assert.rejects(() => write(session), FencedError);
      await waitForLock(tide.database.sql);
      await taker`COMMIT`;
      await writing;
      assert.equal(before?.["read"], 10);
      assert.deepEqual((await tide.savedPositions()).map(({ lastId }) => lastId), [10]);
      assert.deepEqual(await deadLetters(tide), []);
    },
  );

  sessionTest(`a relay whose take-over is rolled back writes ${what} after all`, async (tide) => {
    const session = await tide.openOutbox();
    await session.offsets.save(at(1, 10));
    const taker = tide.database.connect();
    await taker`BEGIN`;
    await taker`UPDATE tide.lease SET epoch = nextval('tide.lease_epoch') WHERE pipeline = ${PIPELINE}`;
    const writing = write(session);
    await waitForLock(tide.database.sql);
    await taker`ROLLBACK`;
    await writing;
    assert.equal((await tide.savedPositions()).length + (await deadLetters(tide)).length, 2);
  }, { versions: NEWEST });

  sessionTest(`a relay whose pipeline is deleted, or made again, cannot write ${what}`, async (tide) => {
    const session = await tide.openOutbox();
    await session.offsets.save(at(1, 10));
    const deleter = tide.database.connect();
    await deleter`BEGIN`;
    await deleter`SELECT tide.relay_delete(${PIPELINE})`;
    const writing = assert.rejects(() => write(session), FencedError);
    await waitForLock(tide.database.sql);
    await deleter`COMMIT`;
    await writing;
    await tide.configure({});
    await assert.rejects(() => write(session), FencedError);
    assert.deepEqual(await tide.savedPositions(), []);
    assert.deepEqual(await deadLetters(tide), []);
  }, { versions: NEWEST });
}

sessionTest("another relay that holds the lease under the same epoch fences as well", async (tide) => {
  // A failover that loses the end of the log can give an epoch out twice.
  const session = await tide.openOutbox();
  await session.offsets.save(at(1, 10));
  await tide.database.sql`UPDATE tide.lease SET holder = 'another relay' WHERE pipeline = ${PIPELINE}`;
  for (const [what, write] of WRITES) await assert.rejects(() => write(session), FencedError, what);
});

sessionTest("nothing is written in another life of the server", async (tide) => {
  const session = await tide.openOutbox();
  await session.offsets.save(at(1, 10));
  await tide.database.sql`TRUNCATE tide.server_life`;
  for (const [what, write] of WRITES) await assert.rejects(() => write(session), SourceError, what);
  await tide.database.sql`INSERT INTO tide.server_life (token) VALUES ('another')`;
  for (const [what, write] of WRITES) await assert.rejects(() => write(session), SourceError, what);
  assert.equal((await tide.savedPositions()).length + (await deadLetters(tide)).length, 1);
});

sessionTest("DeadLetterTable keeps everything, once for each record", async (tide) => {
  await tide.configure({ topic: "t" });
  const { deadLetters: table } = await tide.openOutbox();
  await table.keep([LETTER, { ...LETTER, recordIndex: 1 }]);
  await table.keep([{ ...LETTER, reason: "again" }, {
    ...LETTER,
    messageId: 8,
    dedupKey: null,
    headers: null,
    partition: null,
  }]);
  const kept = {
    pipeline: PIPELINE,
    outbox: "orders",
    message_id: 7,
    record_index: 0,
    stage: "deliver",
    failure: "rejected",
    code: "TOO_LARGE",
    reason: "too large",
    attempts: 3,
    revision: 2,
    op: "update",
    dedup_key: "k",
    payload: LETTER.payload,
    headers: LETTER.headers,
    previous: null,
    topic: "t",
    record_key: "rk",
    partition: 7,
    micros: "1700000000123456",
  };
  assert.deepEqual((await deadLetters(tide)).map((row) => ({ ...row })), [
    kept,
    { ...kept, record_index: 1 },
    { ...kept, message_id: 8, dedup_key: null, headers: null, partition: null },
  ]);
});

sessionTest("DeadLetterTable counts the letters of its pipeline, up to a bound", async (tide) => {
  const { deadLetters: table } = await tide.openOutbox();
  assert.equal(await table.count(10), 0);
  await table.keep([1, 2, 3].map((messageId) => ({ ...LETTER, messageId })));
  await tide.database.sql`UPDATE tide.dead_letter SET pipeline = 'another' WHERE message_id = 3`;
  assert.deepEqual([await table.count(10), await table.count(1)], [2, 1]);
}, { versions: NEWEST });

sessionTest("DeadLetterTable keeps texts that PostgreSQL cannot store as they are", async (tide) => {
  const { deadLetters: table } = await tide.openOutbox();
  // Half of a character, where a reason was cut, and a key that is not text.
  await table.keep([{
    ...LETTER,
    reason: "cut here: 😀".slice(0, -1),
    recordKey: "\0\0\0\x01",
    topic: "a\0b",
  }]);
  const [row] = await deadLetters(tide);
  assert.deepEqual([row!["reason"], row!["record_key"], row!["topic"]], [
    "cut here: \ufffd",
    "\ufffd\ufffd\ufffd\x01",
    "a\ufffdb",
  ]);
});

/** Wait until some session of the database waits for a lock. */
async function waitForLock(sql: postgres.Sql): Promise<void> {
  await waitUntil(async () => {
    const rows = await sql`
      SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND application_name = 'pg-tide'`;
    return rows.length > 0;
  }, { what: "a relay to wait for the lease's row" });
}
