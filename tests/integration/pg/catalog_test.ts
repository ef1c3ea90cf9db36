/**
 * The catalog of pipelines, and routine work on it beside relays at work.
 */

import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../src/base/clock.ts";
import { PostgresCatalog } from "../../../src/pg/catalog.ts";
import { readStatus } from "../../../src/pg/status.ts";
import { connect } from "../../../src/pg/database.ts";
import { Session } from "../../../src/run/session.ts";
import { instantSink } from "../../support/fake_sink.ts";
import { recordsOf, windowOf } from "../../support/pages.ts";
import {
  NEWEST,
  OUTBOX,
  PIPELINE,
  type SavedPosition,
  sessionTest,
  type TideSession,
} from "../../support/tide_session.ts";
import { waitUntil } from "../../support/wait.ts";

const NEVER = new AbortController().signal;

function catalogOf(tide: TideSession, name = "relay"): PostgresCatalog {
  return new PostgresCatalog(tide.db, { name, version: "1.2.3" });
}

sessionTest("PostgresCatalog.load() gives every pipeline as it stands", async (tide) => {
  const catalog = catalogOf(tide);
  const [first] = await catalog.load();
  assert.match(first!.incarnation, /^[0-9a-f]{8}$/);
  const expected = {
    name: PIPELINE,
    outbox: OUTBOX,
    outboxNumber: 1,
    incarnation: first!.incarnation,
    consumerGroup: "g",
    config: { sink_type: "stdout" },
    enabled: false,
    revision: 1,
    retriesWaiting: false,
  };
  assert.deepEqual(first, expected);
  await tide.configure({ topic: "t" });
  await tide.database.sql`SELECT tide.relay_enable(${PIPELINE})`;
  const changed = { ...expected, config: { sink_type: "stdout", topic: "t" }, enabled: true, revision: 2 };
  assert.deepEqual(await catalog.load(), [changed]);
}, { versions: NEWEST });

sessionTest(
  "PostgresCatalog.load() tells for which pipelines dead letters are to be sent again",
  async (tide) => {
    const catalog = catalogOf(tide);
    const waiting = async () => (await catalog.load()).map(({ retriesWaiting }) => retriesWaiting);
    await addLetters(tide, "CODE", 3);
    assert.deepEqual(await waiting(), [false]);
    await tide.database.sql`SELECT * FROM tide.dlq_retry(${PIPELINE})`;
    assert.deepEqual(await waiting(), [true]);
    await tide.database.sql`SELECT tide.dlq_cancel(1)`;
    assert.deepEqual(await waiting(), [false]);
  },
  { versions: NEWEST },
);

sessionTest(
  "PostgresCatalog.expire() drops what is older than its pipeline keeps it, and counts that",
  async (tide) => {
    const catalog = catalogOf(tide);
    await tide.store().report(await tide.acquire(), {
      state: "running",
      code: null,
      reason: null,
      advice: null,
    });
    await addLetters(tide, "OLD", 40);
    await addLetters(tide, "YOUNG", 20);
    const left = async () => {
      const rows = await tide.database.sql`SELECT DISTINCT code FROM tide.dead_letter ORDER BY code`;
      return rows.map(({ code }) => code);
    };
    const expire = async () => [...await catalog.expire()];
    assert.deepEqual(await expire(), [], "they are kept unless the pipeline says otherwise");
    await tide.configure({ dlq: { retention_days: 30 } });
    await tide.database.sql`SELECT * FROM tide.dlq_retry(${PIPELINE})`;
    assert.deepEqual(
      [await expire(), await left()],
      [[], ["OLD", "YOUNG"]],
      "they are to be sent again",
    );
    await tide.database.sql`SELECT tide.dlq_cancel(1)`;
    assert.deepEqual(await expire(), [{ pipeline: PIPELINE, count: 1, days: 30 }]);
    assert.deepEqual([await expire(), await left()], [[], ["YOUNG"]]);
    const [status] = await readStatus(tide.db);
    assert.deepEqual([status!.dead_letters, status!.dead_letters_expired], [1, 1]);
  },
  { versions: NEWEST },
);

sessionTest(
  "PostgresCatalog.maintain() forgets what was asked for once it has been done for a week",
  async (tide) => {
    const catalog = catalogOf(tide);
    await addLetters(tide, "CODE", 1);
    for (let i = 0; i < 3; i++) await tide.database.sql`SELECT * FROM tide.dlq_retry(${PIPELINE})`;
    await tide.database.sql`
    UPDATE tide.dead_letter_retry SET requested_at = now() - interval '30 days',
      finished_at = CASE id WHEN 1 THEN now() - interval '8 days' WHEN 2 THEN now() - interval '6 days' END`;
    await catalog.maintain();
    const rows = await tide.database.sql`SELECT id::integer FROM tide.dead_letter_retry ORDER BY id`;
    assert.deepEqual(rows.map(({ id }) => id), [2, 3]);
  },
  { versions: NEWEST },
);

/** File a letter that failed so many days ago. */
async function addLetters(tide: TideSession, code: string, days: number): Promise<void> {
  await tide.database.sql`
    INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
      attempts, created_at, failed_at, op, payload)
    VALUES (${PIPELINE}, ${OUTBOX}, 1, 'i', ${days}, 0, 'deliver', ${code}, 'why', 1, now(),
      now() - make_interval(days => ${days}), 'insert', '{}')`;
}

sessionTest(
  "PostgresCatalog.waitForChange() ends with a change since the last load, and says so",
  async (tide) => {
    const catalog = catalogOf(tide);
    // LISTEN begins in the background, and what it may have missed counts as a change.
    await waitUntil(async () => {
      await catalog.load();
      return !await catalog.waitForChange(100, NEVER);
    }, { what: "the catalog to be quiet" });
    await tide.database.sql`SELECT tide.relay_enable(${PIPELINE})`;
    assert.equal(await catalog.waitForChange(30_000, NEVER), true);
    assert.equal(await catalog.waitForChange(30_000, NEVER), true, "until it is loaded");
    await catalog.load();
    assert.equal(await catalog.waitForChange(100, NEVER), false);
  },
  { versions: NEWEST },
);

sessionTest("PostgresCatalog makes its relay known until it ends in order", async (tide) => {
  const relays = async () =>
    (await tide.database.sql`SELECT holder, version FROM tide.relay`).map((row) => ({ ...row }));
  const [a, b] = [catalogOf(tide, "a"), catalogOf(tide, "b")];
  await a.register();
  await a.register();
  await b.maintain();
  assert.deepEqual(await relays(), [{ holder: "a", version: "1.2.3" }, { holder: "b", version: "1.2.3" }]);
  await a.unregister();
  assert.deepEqual(await relays(), [{ holder: "b", version: "1.2.3" }]);
}, { versions: NEWEST });

sessionTest(
  "PostgresCatalog.maintain() prunes what nobody reads, beside several relays that save",
  async (tide) => {
    const pipelines = [PIPELINE, "second"];
    await tide.database
      .sql`SELECT tide.relay_set_outbox('second', ${OUTBOX}, 'second', '{"sink_type": "stdout"}'::jsonb)`;
    const other = await connect({ url: tide.database.url });
    try {
      const specs = await catalogOf(tide).load();
      let saving = pipelines.length;
      const save = async (name: string) => {
        const store = tide.store("relay", {}, name);
        const epoch = await store.lease.tryAcquire(60_000);
        const session = await store.openOutbox(specs.find((spec) => spec.name === name)!, epoch!);
        for (let n = 1; n <= 300; n++) {
          const window = windowOf(Math.ceil(n / 3), 100 * Math.ceil(n / 3) - 100, 100 * Math.ceil(n / 3));
          await session.offsets.save({ window, phase: "run", lastId: window.upper.topId - 3 + (n - 1) % 3 });
        }
        saving--;
      };
      const prune = async (catalog: PostgresCatalog) => {
        while (saving > 0) await catalog.maintain();
      };
      const relays = [catalogOf(tide, "a"), new PostgresCatalog(other, { name: "b", version: "1" })];
      await Promise.all([...pipelines.map(save), ...relays.map(prune)]);
      await relays[0]!.maintain();
      for (const name of pipelines) {
        const positions = await tide.database.sql<SavedPosition[]>`
        SELECT window_number::integer AS window, phase, last_id::integer AS "lastId" FROM tide.position_log
        WHERE pipeline = ${name}`;
        assert.deepEqual([...positions].map((row) => ({ ...row })), [{
          window: 100,
          phase: "run",
          lastId: 9_999,
        }]);
        const windows = await tide.database
          .sql`SELECT number::integer FROM tide.window WHERE pipeline = ${name}`;
        assert.deepEqual(windows.map(({ number }) => number), [100]);
      }
    } finally {
      await other.close();
    }
  },
);

/** Deliver everything, as a relay does, until `until`. */
async function deliver(tide: TideSession, until: () => Promise<boolean>): Promise<void> {
  const outbox = await tide.openOutbox();
  const session = new Session({
    ...outbox,
    transform: (page) => ({ page, origin: null, rejected: [] }),
    route: (page) => ({ page: { ...page, ...recordsOf(page) }, origin: null, rejected: [] }),
    format: null,
    sink: instantSink(),
    clock: SYSTEM_CLOCK,
    retry: { initialMs: 10, maxMs: 100, maxAttempts: 3 },
    deadLettersMax: 1_000,
    pollIntervalMs: 20,
    onState: () => {},
  });
  session.start();
  try {
    await waitUntil(until, { what: "the delivery" });
  } finally {
    await session.drain(10_000);
  }
  assert.equal(session.failure, null);
}

sessionTest("a slot is emptied although the last message delivered was a straggler", async (tide) => {
  const open = tide.database.connect();
  await open`BEGIN`;
  await open`SELECT tide.outbox_publish(${OUTBOX}, '"late"')`;
  await tide.publish({ payload: "early" });
  const newest = async (): Promise<Partial<SavedPosition>> => (await tide.savedPositions())[0] ?? {};
  await deliver(tide, async () => {
    if ((await newest()).lastId !== 2) return false;
    await open`COMMIT`;
    await waitUntil(async () => (await newest()).window! > 1, { what: "the straggler's delivery" });
    // The position moves on behind the window although nothing more is published.
    await waitUntil(async () => (await newest()).phase === "run", {
      what: "the end of the straggler's window",
    });
    return true;
  });

  // Two days pass.
  await tide.database.sql`UPDATE tide.message_1 SET created_at = created_at - interval '2 days'`;
  const catalog = catalogOf(tide);
  assert.deepEqual(await catalog.maintain(), [`Outbox ${OUTBOX} writes to slot 1 now`]);
  assert.deepEqual(await catalog.maintain(), [
    `Emptied slot 0 of outbox ${OUTBOX}: all delivered, and past retention`,
  ]);
  assert.deepEqual(await catalog.maintain(), []);
}, { retentionHours: 1 });

sessionTest("a slot is kept while its last message, a straggler, is not delivered", async (tide) => {
  const open = tide.database.connect();
  await open`BEGIN`;
  await open`SELECT tide.outbox_publish(${OUTBOX}, '"late"')`;
  await tide.publish({ payload: "early" });
  await deliver(tide, async () => (await tide.savedPositions())[0]?.lastId === 2);
  await open`COMMIT`;
  await tide.database.sql`UPDATE tide.message_1 SET created_at = created_at - interval '2 days'`;
  const catalog = catalogOf(tide);
  await catalog.maintain();
  assert.deepEqual(await catalog.maintain(), []);
  const [kept] = await tide.database.sql`SELECT count(*)::integer AS n FROM tide.message_1_0`;
  assert.equal(kept!["n"], 2);
  await deliver(tide, async () => {
    const [newest] = await tide.savedPositions();
    return newest!.window > 1 && newest!.phase === "run";
  });
  assert.deepEqual(await catalog.maintain(), [
    `Emptied slot 0 of outbox ${OUTBOX}: all delivered, and past retention`,
  ]);
}, { retentionHours: 1, versions: NEWEST });
