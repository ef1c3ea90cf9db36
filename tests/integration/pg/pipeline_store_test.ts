/**
 * Where a pipeline starts, and what it refuses to start from.
 */

import assert from "node:assert/strict";
import { FencedError, UserError } from "../../../src/base/errors.ts";
import { type LogFields, type Logger, SILENT } from "../../../src/base/telemetry.ts";
import { SourceError } from "../../../src/read/mod.ts";
import { textAt } from "../../../plugins/sdk/mod.ts";
import type { Position, Window } from "../../../src/record/position.ts";
import type { OutboxSession } from "../../../src/run/mod.ts";
import {
  BEFORE_ALL,
  NEWEST,
  OUTBOX,
  PIPELINE,
  readPhase,
  sessionTest,
  type TideSession,
} from "../../support/tide_session.ts";

/** What a session reads first: payloads from its start to now. */
async function readAll({ source, start }: OutboxSession): Promise<string[]> {
  const upper = await source.mark();
  const begun: Window[] = [];
  let [phase, lastId]: [Position["phase"], number] = ["stragglers", 0];
  if ("position" in start) {
    begun.push(start.position.window);
    ({ phase, lastId } = start.position);
  }
  const lower = "position" in start ? start.position.window.upper : start.lower;
  const texts: string[] = [];
  for (const window of [...begun, { number: 99, lower, upper }]) {
    const stragglers = phase === "stragglers"
      ? await readPhase(source, window, phase, undefined, lastId)
      : [];
    const after = phase === "run" ? lastId : window.lower.topId;
    const pages = [...stragglers, ...await readPhase(source, window, "run", undefined, after)];
    for (const page of pages) {
      for (let row = 0; row < page.count; row++) texts.push(textAt(page.payload, row)!);
    }
    [phase, lastId] = ["stragglers", 0];
  }
  return texts;
}

function positionOf({ start }: OutboxSession): Position {
  assert.ok("position" in start);
  return start.position;
}

const refuses = (code: string) => (error: unknown) => {
  assert.ok(error instanceof UserError, String(error));
  assert.equal(error.code, code);
  assert.notEqual(error.advice, "");
  return true;
};

sessionTest(
  "a new group starts at the oldest message kept, and saves nothing before it has delivered",
  async (tide) => {
    await tide.publish({ payload: 1 }, { payload: 2 });
    const session = await tide.openOutbox();
    assert.deepEqual(session.start, { lower: BEFORE_ALL });
    assert.deepEqual(await readAll(session), ["1", "2"]);
    assert.deepEqual(await tide.savedPositions(), []);
  },
  { versions: NEWEST },
);

sessionTest(
  "a group that starts at the latest message keeps that place over a restart before its first delivery",
  async (tide) => {
    const open = tide.database.connect();
    await open`BEGIN`;
    await open`SELECT tide.outbox_publish(${OUTBOX}, '"open at the start"')`;
    await tide.publish({ payload: "before" });
    const first = await tide.openOutbox();
    assert.equal((await tide.savedPositions()).length, 1);
    await tide.publish({ payload: "after" });
    await open`COMMIT`;
    assert.deepEqual(await readAll(first), ['"open at the start"', '"after"']);
    const second = await tide.openOutbox(undefined, "another relay");
    assert.deepEqual(positionOf(second), positionOf(first));
    assert.deepEqual(await readAll(second), ['"open at the start"', '"after"']);
  },
  { config: { start: "latest" } },
);

sessionTest("a group starts at the first message of a time, and keeps that place", async (tide) => {
  await tide.publish(...[1, 2, 3, 4].map((payload) => ({ payload })));
  // Published in the wrong order of time: nothing of the time or later may be left out.
  await tide.database.sql`
    UPDATE tide.message_1 SET created_at = '2026-01-01T00:00:00Z'::timestamptz
      + (ARRAY[0, 2, 1, 3])[id] * interval '1 hour'`;
  await tide.configure({ start: "2026-01-01T03:00:00+01:00" });
  const first = await tide.openOutbox();
  assert.deepEqual(await readAll(first), ["2", "3", "4"]);
  assert.equal((await tide.savedPositions()).length, 1);
  await tide.configure({ start: "latest" });
  const second = await tide.openOutbox();
  assert.deepEqual(positionOf(second), positionOf(first));
});

sessionTest("a start that has the shape of a time and is none is told, and saves nothing", async (tide) => {
  await tide.database.sql`
    UPDATE tide.pipeline SET config = config || '{"start": "2026-02-31T12:00:00Z"}' WHERE name = ${PIPELINE}`;
  await assert.rejects(() => tide.openOutbox(), refuses("CONFIGURATION"));
  assert.deepEqual(await tide.savedPositions(), []);
}, { versions: NEWEST });

sessionTest("a group goes on behind its position, among the stragglers and in the run", async (tide) => {
  const open = tide.database.connect();
  await open`BEGIN`;
  for (const payload of ['"late 1"', '"late 2"']) {
    await open`SELECT tide.outbox_publish(${OUTBOX}, ${payload}::text::jsonb)`;
  }
  const { source, offsets } = await tide.openOutbox();
  const lower = await source.mark();
  await tide.publish({ payload: "run 1" }, { payload: "run 2" });
  await open`COMMIT`;
  const window = { number: 1, lower, upper: await source.mark() };
  await tide.publish({ payload: "next" });
  const cases = [
    [{ phase: "stragglers", lastId: 1 }, ['"late 2"', '"run 1"', '"run 2"', '"next"']],
    [{ phase: "stragglers", lastId: 2 }, ['"run 1"', '"run 2"', '"next"']],
    [{ phase: "run", lastId: 3 }, ['"run 2"', '"next"']],
    [{ phase: "run", lastId: 4 }, ['"next"']],
  ] as const;
  for (const [place, expected] of cases) {
    const position: Position = { window, ...place };
    await offsets.save(position);
    const [saved] = await tide.savedPositions();
    const session = await tide.openOutbox(saved!.epoch);
    assert.deepEqual(positionOf(session), position);
    assert.deepEqual(await readAll(session), expected, JSON.stringify(place));
  }
});

/** A session that has delivered something. */
async function delivered(tide: TideSession): Promise<void> {
  await tide.publish({ payload: 1 }, { payload: 2 });
  const { source, offsets } = await tide.openOutbox();
  await offsets.save({
    window: { number: 1, lower: BEFORE_ALL, upper: await source.mark() },
    phase: "run",
    lastId: 1,
  });
}

/** All that a check of the numbering could move. */
async function movable(tide: TideSession): Promise<unknown> {
  return [
    ...await tide.database.sql`
      SELECT (SELECT json_agg(p ORDER BY n) FROM tide.position_log p) AS positions,
        (SELECT json_agg(w) FROM tide.window w) AS windows, (SELECT json_agg(o) FROM tide.outbox o) AS outboxes,
        (SELECT json_agg(c) FROM tide.cluster c) AS cluster, pg_sequence_last_value('tide.id_1') AS last_id`,
  ];
}

for (
  const [what, spoil] of [
    ["a saved position", "UPDATE tide.window SET upper_next_xid = '1000000000000'"],
    ["a message", "UPDATE tide.message_1 SET xid = '1000000000000' WHERE id = 2"],
    ["the last check", "UPDATE tide.cluster SET next_xid = '1000000000000'"],
  ] as const
) {
  sessionTest(
    `a server that has not reached the transactions of ${what} is refused, and nothing is moved`,
    async (tide) => {
      await delivered(tide);
      await tide.database.sql.unsafe(spoil);
      const before = await movable(tide);
      await assert.rejects(() => tide.openOutbox(), refuses("NUMBERING_FOREIGN"));
      assert.deepEqual(await movable(tide), before);
    },
  );
}

/** Whoever asks is told again and again until it has the outbox as it is now. */
async function openAdopted(tide: TideSession, adopt: boolean, log: Logger = SILENT): Promise<OutboxSession> {
  const stale = await tide.spec();
  const store = tide.store("relay", { adopt, log });
  const epoch = await tide.takeOver("relay");
  await assert.rejects(() => store.openOutbox(stale, epoch), SourceError);
  const now = await tide.spec();
  assert.notEqual(now.incarnation, stale.incarnation);
  return await store.openOutbox(now, epoch);
}

function listening(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const warn = (text: string, fields: LogFields = {}) => void lines.push(`${text} ${JSON.stringify(fields)}`);
  return { log: { ...SILENT, warn }, lines };
}

sessionTest(
  "a copy of a database is refused while other relays are known there, unless it is adopted",
  async (tide) => {
    await delivered(tide);
    await tide.database.sql`INSERT INTO tide.relay (holder, version) VALUES ('a relay of the original', '1')`;
    await tide.database.sql`UPDATE tide.cluster SET system_identifier = 'the original'`;
    const before = await movable(tide);
    await assert.rejects(() => tide.openOutbox(), refuses("NUMBERING_CLONE"));
    assert.deepEqual(await movable(tide), before);

    const { log, lines } = listening();
    const session = await openAdopted(tide, true, log);
    assert.deepEqual(await readAll(session), ["2"]);
    assert.match(lines.join("\n"), /moved to another server.*identifier/s);
    await tide.openOutbox();
  },
  { versions: NEWEST },
);

sessionTest("a database that moved with no other relay known is adopted", async (tide) => {
  await delivered(tide);
  await tide.database.sql`UPDATE tide.cluster SET system_identifier = 'before pg_upgrade'`;
  assert.deepEqual(await readAll(await openAdopted(tide, false)), ["2"]);
});

sessionTest("ids jump and the incarnation changes after a change of timeline", async (tide) => {
  await delivered(tide);
  await tide.database.sql`UPDATE tide.cluster SET timeline = '000000FE'`;
  const session = await openAdopted(tide, false);
  const [id] = await tide.publish({ payload: "after the failover" });
  assert.ok(id! > 1_000_000);
  assert.deepEqual(await readAll(session), ["2", '"after the failover"']);
});

sessionTest("ids that are behind the messages are moved on before anything is read", async (tide) => {
  await delivered(tide);
  await tide.database.sql`SELECT setval('tide.id_1', 1)`;
  const { log, lines } = listening();
  const store = tide.store("relay", { log });
  const session = await store.openOutbox(await tide.spec(), await tide.takeOver("relay"));
  const [id] = await tide.publish({ payload: 3 });
  assert.ok(id! > 2);
  assert.match(lines.join("\n"), /Ids were behind.*orders/);
  assert.deepEqual(await readAll(session), ["2", "3"]);
}, { versions: NEWEST });

sessionTest(
  "many pipelines that open at once do not take each other for a foreign numbering",
  async (tide) => {
    await delivered(tide);
    const spec = await tide.spec();
    const epoch = await tide.takeOver("relay");
    const publishing = Promise.all(Array.from({ length: 20 }, (_, n) => tide.publish({ payload: n })));
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 8 }, () => tide.store().openOutbox(spec, epoch)));
    }
    await publishing;
  },
);

sessionTest("nothing is read under a lease that is lost", async (tide) => {
  const epoch = await tide.acquire("a");
  const spec = await tide.spec();
  await tide.store("a").openOutbox(spec, epoch);
  await assert.rejects(() => tide.store("b").openOutbox(spec, epoch), FencedError);
  await tide.takeOver("b");
  await assert.rejects(() => tide.store("a").openOutbox(spec, epoch), FencedError);
}, { versions: NEWEST });

sessionTest(
  "a state is its relay's newest word, since when it is so, and no late word of an older relay",
  async (tide) => {
    const state = async () => {
      const rows = await tide.database.sql`
      SELECT state, code, reason, advice, since::text FROM tide.pipeline_state`;
      return rows[0];
    };
    const waiting = { state: "waiting", code: "DOWN", reason: "first", advice: null } as const;
    const old = await tide.acquire("a");
    await tide.store("a").report(old, waiting);
    const first = await state();
    await tide.store("a").report(old, { ...waiting, reason: "second" });
    const second = await state();
    assert.deepEqual({ ...second }, { ...first, reason: "second" });
    const now = await tide.takeOver("b");
    await tide.store("a").report(old, { ...waiting, reason: "too late" });
    assert.deepEqual(await state(), second);
    await tide.store("b").report(now, { state: "running", code: null, reason: null, advice: null });
    assert.equal((await state())!["state"], "running");
    assert.notEqual((await state())!["since"], first!["since"]);
  },
  { versions: NEWEST },
);
