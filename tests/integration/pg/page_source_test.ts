/**
 * Pages, marks and wake-ups through the real functions.
 */

import assert from "node:assert/strict";
import { OPS, textAt, valueAt } from "../../../plugins/sdk/mod.ts";
import { LIMITS } from "../../../src/base/limits.ts";
import { type PageSource, SourceError } from "../../../src/read/mod.ts";
import type { Page } from "../../../src/record/page.ts";
import type { Window } from "../../../src/record/position.ts";
import { Reader } from "../../../src/read/reader.ts";
import { SYSTEM_CLOCK } from "../../../src/base/clock.ts";
import { sharedPostgres, startPostgres } from "../../support/postgres.ts";
import {
  BEFORE_ALL,
  NEWEST,
  OUTBOX,
  readPhase,
  sessionTest,
  TideSession,
} from "../../support/tide_session.ts";
import { waitUntil } from "../../support/wait.ts";

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** A window from the beginning to now. */
async function windowUntilNow(source: PageSource): Promise<Window> {
  return { number: 1, lower: BEFORE_ALL, upper: await source.mark() };
}

/** Bytes of a page's values. */
function pageBytes({ payload, headers, previous, dedupKey }: Page): number {
  return [payload, headers, previous, dedupKey].reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** A message of a page as the database shows it. */
interface Shown {
  readonly id: number;
  readonly micros: string;
  readonly op: string;
  readonly key: string | null;
  readonly payload: string;
  readonly headers: string | null;
  readonly previous: string | null;
}

function messagesOf(page: Page): Shown[] {
  const text = (column: Page["payload"], row: number) => {
    const value = valueAt(column, row);
    return value === null ? null : DECODER.decode(value);
  };
  return Array.from({ length: page.count }, (_, row) => ({
    id: page.ids[row]!,
    micros: String(Math.round(1_000 * page.createdMs[row]!)),
    op: OPS[page.ops[row]!]!,
    key: text(page.dedupKey, row),
    payload: text(page.payload, row)!,
    headers: text(page.headers, row),
    previous: text(page.previous, row),
  }));
}

sessionTest("PostgresPageSource gives what was published, byte for byte", async (tide) => {
  const long = "x".repeat(100_000);
  const ids = await tide.publish(
    { payload: { n: 1 } },
    { payload: 'ü\n\t"\\ 𝄞 \u2028', dedup_key: "schlüssel 𝄞\n\t", op: "update", previous: [1, null] },
    { payload: null, dedup_key: "", op: "delete", headers: { ä: "ö\n", "": "" } },
    { payload: [], op: "read", previous: { "\u0001": false } },
    { payload: long, dedup_key: long, op: "truncate", headers: {} },
    { payload: 1e-7, dedup_key: "\ufeffbom" },
  );
  const [exact] = await tide.database.sql<{ id: string }[]>`
    SELECT tide.outbox_publish(${OUTBOX}, '{"b": 12345678901234567890.10, "a": 1e300, "a": 100}'::jsonb)::text AS id`;
  const { source } = await tide.openOutbox();
  const window = await windowUntilNow(source);
  const expected = [
    ...await tide.database.sql<Shown[]>`
      SELECT id::integer, (extract(epoch FROM created_at) * 1000000)::bigint::text AS micros,
        CASE op WHEN 'i' THEN 'insert' WHEN 'u' THEN 'update' WHEN 'd' THEN 'delete' WHEN 'r' THEN 'read'
          WHEN 't' THEN 'truncate' END AS op,
        dedup_key AS key, payload, headers, previous
      FROM tide.message_1 ORDER BY id`,
  ];
  assert.deepEqual(expected.map(({ id }) => id), [...ids, Number(exact!.id)]);
  for (const rows of [1, 2, 100]) {
    const pages = await readPhase(source, window, "run", { rows, bytes: LIMITS.pageBytes });
    assert.deepEqual(pages.flatMap(messagesOf), expected, `pages of ${rows}`);
    assert.ok(pages.every(({ count }) => count <= rows));
  }
});

Deno.test("PostgresPageSource keeps a page within its bytes, unless a single message is larger", async () => {
  await using tide = await TideSession.open(await sharedPostgres(18));
  for (let n = 0; n < 4; n++) {
    await tide.database.sql`
      SELECT tide.outbox_publish(${OUTBOX}, to_jsonb(${
      randomText(900_000)
    }::text)) FROM generate_series(1, 50)`;
  }
  await tide.publish({ payload: "small" });
  await tide.publish({ payload: "x".repeat(5_000_000) });
  await tide.publish({ payload: "small" });
  const { source } = await tide.openOutbox();
  const window = await windowUntilNow(source);
  const counts: number[] = [];
  let memory = 0;
  for (let lastId = 0;;) {
    const page = await source.run(window, lastId, { rows: LIMITS.pageRows, bytes: LIMITS.pageBytes });
    if (page === null) break;
    lastId = page.ids[page.count - 1]!;
    const bytes = pageBytes(page);
    assert.ok(page.count === 1 || bytes <= LIMITS.pageBytes, `${page.count} messages in ${bytes} bytes`);
    counts.push(page.count);
    memory = Math.max(memory, Deno.memoryUsage().rss);
  }
  // As few pages as the bound allows: two in each, the last with the small one, the large one alone.
  assert.deepEqual(counts, [...Array(99).fill(2), 3, 1, 1]);
  assert.ok(memory < 600 * 1024 * 1024, `${memory >> 20} MiB resident while 185 MB were read`);
});

/** Text that does not compress: what PostgreSQL counts is what is read. */
function randomText(length: number): string {
  const bytes = new Uint8Array(Math.ceil(length * 3 / 4));
  for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes.toBase64().slice(0, length);
}

sessionTest("PostgresPageSource counts keys, headers and previous rows as bytes of a page", async (tide) => {
  const part = "y".repeat(400);
  const message = { payload: part, dedup_key: part, headers: { h: part }, previous: part };
  await tide.publish(...Array.from({ length: 10 }, () => message));
  const { source } = await tide.openOutbox();
  const pages = await readPhase(source, await windowUntilNow(source), "run", { rows: 100, bytes: 5_000 });
  assert.deepEqual(pages.map(({ count }) => count), [3, 3, 3, 1]);
}, { versions: NEWEST });

sessionTest("PostgresPageSource reads late messages of open transactions as stragglers", async (tide) => {
  const open = tide.database.connect();
  await open`BEGIN`;
  await open`SELECT tide.outbox_publish(${OUTBOX}, '"late"')`;
  await tide.publish({ payload: "early" });
  const { source } = await tide.openOutbox();
  const first = await windowUntilNow(source);
  const texts = (pages: Page[]) => pages.flatMap((page) => messagesOf(page).map(({ payload }) => payload));
  assert.deepEqual(texts(await readPhase(source, first, "run")), ['"early"']);
  assert.deepEqual(first.upper.topId, 2);
  await tide.publish({ payload: "next" });
  await open`COMMIT`;
  const second = { number: 2, lower: first.upper, upper: await source.mark() };
  assert.deepEqual(texts(await readPhase(source, second, "stragglers")), ['"late"']);
  assert.deepEqual(texts(await readPhase(source, second, "run", undefined, first.upper.topId)), ['"next"']);
});

sessionTest("PostgresPageSource takes marks that rise, each in a transaction of its own", async (tide) => {
  const { source } = await tide.openOutbox();
  const marks = [];
  for (let n = 0; n < 3; n++) {
    // Several at once, on whatever connections there are.
    marks.push(...await Promise.all([source.mark(), source.mark(), source.mark()]));
    await tide.publish({ payload: n });
  }
  const tops = marks.map(({ topId }) => topId);
  assert.deepEqual(tops, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
  for (const { snapshot, nextXid } of marks) {
    const xmax = snapshot.split(":")[1]!;
    assert.ok(BigInt(nextXid) >= BigInt(xmax), `${nextXid} after ${snapshot}`);
  }
});

for (const wakeup of ["notify", "auto", "poll"] as const) {
  // The shared servers allow prepared transactions, where `auto` must not notify.
  const notifies = wakeup === "notify";
  sessionTest(
    `PostgresPageSource ${notifies ? "is" : "is not"} woken with wakeup ${wakeup} there`,
    async (tide) => {
      const { source } = await tide.openOutbox();
      assert.equal(await source.askForWakeup(), notifies);
      assert.equal(await wakes(tide, source, notifies ? 3_500 : 500), notifies);
    },
    { wakeup },
  );
}

/** Whether a publisher's commit ends a wait before `ms` have passed. */
async function wakes(tide: TideSession, source: PageSource, ms: number): Promise<boolean> {
  // LISTEN begins in the background, and what it may have missed counts as a notification.
  await waitUntil(async () => !await endsEarly(source, 200), { what: "the listener to be quiet" });
  const waiting = endsEarly(source, ms);
  await tide.publish({ payload: "wake up" });
  return await waiting;
}

async function endsEarly(source: PageSource, ms: number): Promise<boolean> {
  await source.askForWakeup();
  const startedMs = performance.now();
  await source.waitForWakeup(ms, new AbortController().signal);
  return performance.now() - startedMs < ms - 50;
}

sessionTest("publishers notify only while a relay has asked them to", async (tide) => {
  const heard: string[] = [];
  await tide.database.connect().listen("tide_1", (text) => void heard.push(text));
  // A notification of our own comes after all that were sent before it; publishers' are empty.
  let fences = 0;
  const fence = async () => {
    const ours = `fence ${++fences}`;
    await tide.database.sql`SELECT pg_notify('tide_1', ${ours})`;
    await waitUntil(() => heard.includes(ours), { what: "our own notification" });
    return heard.splice(0).filter((text) => text === "").length;
  };
  await tide.publish({ payload: 1 });
  assert.equal(await fence(), 0, "nobody asked");
  const { source } = await tide.openOutbox();
  await source.askForWakeup();
  await tide.publish({ payload: 2 });
  assert.equal(await fence(), 1, "asked");
  // The time is over.
  await tide.database.sql`SELECT setval('tide.wait_1', 1)`;
  await tide.publish({ payload: 3 });
  assert.equal(await fence(), 0, "not asked any more");
}, { wakeup: "notify", versions: NEWEST });

sessionTest("PostgresPageSource asks again after half of the time that it asked for", async (tide) => {
  const { source } = await tide.openOutbox();
  assert.equal(await source.askForWakeup(), true);
  assert.equal(await source.askForWakeup(), false);
  await SYSTEM_CLOCK.sleep(LIMITS.wakeupMs / 2);
  assert.equal(await source.askForWakeup(), true);
}, { wakeup: "notify", versions: NEWEST });

Deno.test("PostgresPageSource is woken with wakeup auto where nothing can be prepared, and loses what a crash took", async () => {
  await using server = await startPostgres({ version: 18, settings: { max_prepared_transactions: "0" } });
  await using tide = await TideSession.open(server);
  const { source, offsets, deadLetters } = await tide.openOutbox();
  assert.equal(await wakes(tide, source, 3_500), true);

  await tide.publish({ payload: 1 });
  const window = await windowUntilNow(source);
  const position = { window, phase: "run", lastId: 1 } as const;
  await offsets.save(position);
  await server.kill();
  await server.start();
  // The first queries find the connections closed; then everything is refused, although the server answers.
  await waitUntil(() => tide.spec().then(() => true, () => false), { what: "the server to answer" });
  const limit = { rows: 10, bytes: 1_000 };
  await assert.rejects(() => source.mark(), SourceError);
  await assert.rejects(() => source.run(window, 0, limit), SourceError);
  await assert.rejects(() => source.stragglers(window, 0, limit), SourceError);
  await assert.rejects(() => offsets.save({ ...position, lastId: 2 }), SourceError);
  await assert.rejects(() => deadLetters.keep([]), SourceError);
  assert.equal((await tide.savedPositions()).length, 1);

  const again = await tide.openOutbox();
  assert.equal("position" in again.start && again.start.position.lastId, 1);
  await again.source.mark();
});

Deno.test("PostgresPageSource notices that a backend's crash took the server's memory with it", async () => {
  await using server = await startPostgres({ version: 14 });
  await using tide = await TideSession.open(server);
  const { source } = await tide.openOutbox();
  await source.mark();
  // The driver fetches types at each connect, and nobody hears when the connection is lost meanwhile.
  const [sql, other] = [1, 2].map(() => tide.database.connect({ fetch_types: false }));
  const [victim] = await other!<{ pid: number; started: string }[]>`
    SELECT pg_backend_pid() AS pid, pg_postmaster_start_time()::text AS started`;
  // All sessions end and the server recovers, without a new start.
  Deno.kill(victim!.pid, "SIGKILL");
  const survivor = await waitUntil(async () => {
    try {
      const [row] = await sql!<{ started: string; alive: boolean }[]>`
        SELECT pg_postmaster_start_time()::text AS started, tide.life() IS NOT NULL AS alive`;
      return row!.alive ? undefined : row!.started;
    } catch {
      return undefined;
    }
  }, { what: "the server to recover" });
  assert.equal(survivor, victim!.started);
  await assert.rejects(() => source.mark(), SourceError);
});

sessionTest(
  "PostgresPageSource goes on when one connection is lost: only what was on it fails",
  async (tide) => {
    const { source, offsets } = await tide.openOutbox();
    await tide.publish({ payload: 1 });
    const window = await windowUntilNow(source);
    const backends = () =>
      tide.database.sql<{ pid: number }[]>`
      SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pg-tide'`;
    const before = await backends();
    assert.ok(before.length > 0);
    await tide.database.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY (${
      before.map(({ pid }) => pid)
    })`;
    await waitUntil(async () => {
      const pids = (await backends()).map(({ pid }) => pid);
      return !before.some(({ pid }) => pids.includes(pid));
    }, { what: "the backends to end" });
    // A query may still have gone to a connection that was not known to be lost.
    await waitUntil(
      () =>
        source.mark().then(() => true, (error) => !(error instanceof SourceError) && Promise.reject(error)),
      {
        what: "a mark on a new connection",
      },
    );
    assert.deepEqual(
      (await readPhase(source, window, "run")).map(({ count }) => count),
      [1],
    );
    await offsets.save({ window, phase: "run", lastId: 1 });
  },
  { versions: NEWEST },
);

sessionTest("PostgresPageSource fails while no connection can be had", async (tide) => {
  const { source } = await tide.openOutbox();
  await tide.db.close();
  await assert.rejects(() => source.mark(), SourceError);
}, { versions: NEWEST });

sessionTest("a reader over it is woken by a publisher, and gives each message once", async (tide) => {
  const { source, start } = await tide.openOutbox();
  const reader = new Reader({ source, start, clock: SYSTEM_CLOCK, pollIntervalMs: 60_000 });
  reader.start();
  const seen: (string | null)[] = [];
  const next = async () => {
    const item = await reader.next();
    if (item !== undefined && item.page !== null) {
      for (let row = 0; row < item.page.count; row++) seen.push(textAt(item.page.payload, row));
    }
    return item;
  };
  try {
    for (let n = 0; n < 3; n++) {
      // Long enough for the reader to have run dry and asked for wake-ups.
      await SYSTEM_CLOCK.sleep(300);
      const publishedMs = performance.now();
      await tide.publish({ payload: n });
      while (seen.length <= n) await next();
      assert.ok(performance.now() - publishedMs < 20_000, "woken long before the poll interval was over");
    }
    assert.deepEqual(seen, ["0", "1", "2"]);
  } finally {
    await reader.stop();
  }
}, { wakeup: "notify" });
