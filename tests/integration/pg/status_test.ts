/**
 * What a user sees of each pipeline.
 */

import assert from "node:assert/strict";
import { EXIT, UserError } from "../../../src/base/errors.ts";
import { connect } from "../../../src/pg/database.ts";
import { type PipelineStatus, readStatus } from "../../../src/pg/status.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import type { Position } from "../../../src/record/position.ts";
import type { PipelineReport } from "../../../src/run/mod.ts";
import {
  BEFORE_ALL,
  NEWEST,
  OUTBOX,
  PIPELINE,
  sessionTest,
  type TideSession,
} from "../../support/tide_session.ts";

async function statusOf(tide: TideSession): Promise<PipelineStatus> {
  const [status] = await readStatus(tide.db);
  return status!;
}

const enable = (tide: TideSession) => tide.database.sql`SELECT tide.relay_enable(${PIPELINE})`;

const report = (state: PipelineReport["state"]): PipelineReport =>
  state === "starting" || state === "running"
    ? { state, code: null, reason: null, advice: null }
    : { state, code: "CODE", reason: `why ${state}`, advice: state === "waiting" ? null : "Do this." };

sessionTest("readStatus() says which pipeline, and that a disabled one is paused", async (tide) => {
  const expected: PipelineStatus = {
    name: PIPELINE,
    outbox: OUTBOX,
    group: "g",
    sink_type: "stdout",
    state: "paused",
    lag_messages: 0,
    lag_seconds: 0,
    last_error: null,
    dead_letters: 0,
    warning: null,
    dead_letters_retrying: 0,
    dead_letters_expired: 0,
  };
  assert.deepEqual(await readStatus(tide.db), [expected]);
  // What its relay says while it drains does not count.
  await tide.store().report(await tide.acquire(), report("running"));
  assert.deepEqual(await readStatus(tide.db), [expected]);
  await tide.database.sql`SELECT tide.relay_delete(${PIPELINE})`;
  assert.deepEqual(await readStatus(tide.db), []);
}, { versions: NEWEST });

sessionTest("readStatus() says that no relay works on an enabled pipeline, with what to do", async (tide) => {
  await enable(tide);
  const { state, last_error } = await statusOf(tide);
  assert.deepEqual([state, last_error?.code, last_error?.since], ["stopped", "NO_RELAY", null]);
  assert.match(last_error!.advice!, /pg-tide --postgres-url/);
}, { versions: NEWEST });

sessionTest("readStatus() takes a relay's word for as long as it holds the lease", async (tide) => {
  await enable(tide);
  const epoch = await tide.acquire();
  assert.equal((await statusOf(tide)).state, "starting");
  for (const state of ["starting", "waiting", "blocked", "stopped", "running"] as const) {
    await tide.store().report(epoch, report(state));
    const status = await statusOf(tide);
    const { code, reason, advice } = report(state);
    assert.equal(status.state, state === "running" ? "idle" : state);
    if (code === null) assert.equal(status.last_error, null);
    else {
      const { since, ...said } = status.last_error!;
      assert.deepEqual(said, { code, reason, advice });
      assert.match(since!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.ok(Math.abs(Date.parse(since!) - Date.now()) < 60_000, since!);
    }
  }
  const warning = { code: "SINK_NOTICE", reason: "Mind the gap", advice: null };
  await tide.store().report(epoch, { ...report("running"), ...warning });
  const { state, last_error, warning: told } = await statusOf(tide);
  assert.deepEqual([state, last_error, { ...told, since: null }], ["idle", null, {
    ...warning,
    since: null,
  }]);
  await tide.publish({ payload: 1 });
  assert.equal((await statusOf(tide)).state, "running");
  const later = await tide.takeOver("another relay");
  assert.equal((await statusOf(tide)).state, "starting", "the new relay has not said anything");
  await tide.store("another relay").report(later, report("blocked"));
  assert.equal((await statusOf(tide)).state, "blocked");
  await tide.database.sql`UPDATE tide.lease SET expires_at = clock_timestamp() - interval '1 second'`;
  assert.deepEqual([(await statusOf(tide)).state, (await statusOf(tide)).last_error?.code], [
    "stopped",
    "NO_RELAY",
  ]);
}, { versions: NEWEST });

sessionTest(
  "readStatus() counts the messages that are committed and not behind the position",
  async (tide) => {
    const [first, second, third] = [1, 2, 3].map(() => tide.database.connect());
    const publishOpen = async (sql: typeof first, payload: string) => {
      await sql!`BEGIN`;
      await sql!`SELECT tide.outbox_publish(${OUTBOX}, to_jsonb(${payload}::text))`;
    };
    const { source, offsets } = await tide.openOutbox();
    await publishOpen(first, "1: late for the window before");
    await tide.publish({ payload: "2: behind the lower mark" });
    const lower = await source.mark();
    await publishOpen(second, "3: late for this window");
    await tide.publish({ payload: "4: in the run" }, { payload: "5: in the run" });
    await first!`COMMIT`;
    const upper = await source.mark();
    await tide.publish({ payload: "6: in no window" });
    await second!`COMMIT`;
    await publishOpen(third, "7: not committed");
    await tide.publish({ payload: "8: in no window" });
    await tide.database.sql`SELECT nextval('tide.id_1')`;

    const lag = async () => (await statusOf(tide)).lag_messages;
    assert.equal(await lag(), 7, "without a position: all that are committed");
    const window = { number: 1, lower, upper };
    const places: [Position["phase"], number, string[]][] = [
      ["stragglers", 1, ["3", "4", "5", "6", "8"]],
      ["run", 4, ["3", "5", "6", "8"]],
      ["run", 5, ["3", "6", "8"]],
    ];
    for (const [phase, lastId, left] of places) {
      await offsets.save({ window, phase, lastId });
      assert.equal(await lag(), left.length, `${phase} ${lastId}`);
    }
    const next = { number: 2, lower: upper, upper: await source.mark() };
    await offsets.save({ window: next, phase: "stragglers", lastId: 3 });
    assert.equal(await lag(), 2);
    await third!`COMMIT`;
    assert.equal(await lag(), 3);
    await offsets.save({ window: next, phase: "run", lastId: next.upper.topId });
    assert.equal(await lag(), 1, "committed after the upper mark: late for this window");
    const last = { number: 3, lower: next.upper, upper: await source.mark() };
    await offsets.save({ window: last, phase: "run", lastId: last.upper.topId });
    assert.equal(await lag(), 0);
  },
);

sessionTest("readStatus() does not count what a position has passed without delivering it", async (tide) => {
  const { source, offsets } = await tide.openOutbox();
  await tide.publish(...[1, 2, 3, 4].map((payload) => ({ payload })));
  const upper = await source.mark();
  // Filtered messages, say.
  await offsets.save({ window: { number: 1, lower: BEFORE_ALL, upper }, phase: "run", lastId: 3 });
  assert.equal((await statusOf(tide)).lag_messages, 1);
}, { versions: NEWEST });

sessionTest("readStatus() tells how old the oldest message is that is not delivered", async (tide) => {
  await tide.publish({ payload: 1 }, { payload: 2 });
  await tide.database.sql`
    UPDATE tide.message_1 SET created_at = clock_timestamp() - (3 - id) * interval '1 hour'`;
  const seconds = async () => (await statusOf(tide)).lag_seconds;
  const isNear = (given: number, expected: number) => given >= expected && given < expected + 60;
  assert.ok(isNear(await seconds(), 7_200), String(await seconds()));
  const { source, offsets } = await tide.openOutbox();
  const window = { number: 1, lower: BEFORE_ALL, upper: await source.mark() };
  await offsets.save({ window, phase: "run", lastId: 1 });
  assert.ok(isNear(await seconds(), 3_600), String(await seconds()));
  await offsets.save({ window, phase: "run", lastId: 2 });
  assert.equal(await seconds(), 0);
}, { versions: NEWEST });

sessionTest("readStatus() shows no lag of a group that will start at the latest message", async (tide) => {
  await tide.publish({ payload: 1 });
  assert.equal((await statusOf(tide)).lag_messages, 0);
  await tide.openOutbox();
  await tide.publish({ payload: 2 });
  assert.equal((await statusOf(tide)).lag_messages, 1);
}, { config: { start: "latest" }, versions: NEWEST });

sessionTest("readStatus() works with a relay's rights", async (tide) => {
  const role = await tide.database.createRole();
  await tide.database.sql`SELECT tide.grant_relay(${role.name})`;
  await tide.publish({ payload: 1 });
  const db = await connect({ url: role.url });
  try {
    assert.deepEqual((await readStatus(db)).map(({ lag_messages }) => lag_messages), [1]);
  } finally {
    await db.close();
  }
});

sessionTest("readStatus() says that the server does not answer", async (tide) => {
  await tide.db.close();
  await assert.rejects(() => readStatus(tide.db), (error) => {
    assert.ok(error instanceof UserError);
    assert.deepEqual([error.code, error.exitCode], ["STATUS_UNREADABLE", EXIT.unreachable]);
    return true;
  });
}, { versions: NEWEST });

sessionTest("readStatus() counts dead letters, up to a bound", async (tide) => {
  const file = (first: number, last: number) =>
    tide.database.sql`
      INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
        attempts, created_at, op, payload)
      SELECT ${PIPELINE}, ${OUTBOX}, 1, 'i', n, 0, 'deliver', 'CODE', 'why', 1, now(), 'insert', '{}'
      FROM generate_series(${first}::int, ${last}::int) n`;
  await file(1, 3);
  assert.equal((await statusOf(tide)).dead_letters, 3);
  await file(4, 10_100);
  assert.equal((await statusOf(tide)).dead_letters, 10_000);
}, { versions: NEWEST });

sessionTest(
  "readStatus() tells how many dead letters are to be sent again, and how many were dropped",
  async (tide) => {
    const { deadLetters, retries } = await tide.openOutbox();
    await deadLetters.keep([1, 2, 3].map(letterOf));
    const figures = async () => {
      const { dead_letters, dead_letters_retrying, dead_letters_expired } = await statusOf(tide);
      return [dead_letters, dead_letters_retrying, dead_letters_expired];
    };
    assert.deepEqual(await figures(), [3, 0, 0]);
    await tide.database.sql`SELECT * FROM tide.dlq_retry(${PIPELINE})`;
    assert.deepEqual(await figures(), [3, 3, 0]);
    const request = (await retries.next())!;
    const { letters, readAt } = (await retries.read(request, 0, { rows: 2, bytes: 1_000 }))!;
    await retries.settle(request, letters.map((letter) => ({ letter, readAt, outcome: "delivered" })));
    assert.deepEqual(await figures(), [1, 1, 0]);
    await retries.finish(request);
    assert.deepEqual(await figures(), [1, 0, 0]);
    await tide.store().report(await tide.takeOver("relay"), report("running"));
    await tide.database.sql`UPDATE tide.pipeline_state SET letters_expired = 7`;
    assert.deepEqual(await figures(), [1, 0, 7]);
  },
  { versions: NEWEST },
);

function letterOf(messageId: number): DeadLetter {
  return {
    messageId,
    recordIndex: 0,
    stage: "deliver",
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
