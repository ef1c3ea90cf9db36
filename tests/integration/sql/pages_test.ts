/**
 * Pages as the reading functions give them: bounded by rows and by real bytes, with every value in its place.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { OPS, textAt } from "@pg-tide/sdk";
import { connect } from "../../../src/pg/database.ts";
import { PostgresPageSource } from "../../../src/pg/page_source.ts";
import type { Page } from "../../../src/record/page.ts";
import type { Window } from "../../../src/record/position.ts";
import { type TideDatabase, tideTest } from "../../support/tide_database.ts";

const START = { snapshot: "3:3:", topId: 0, nextXid: "3" };
const MEBIBYTE = 1024 * 1024;

interface Shape {
  readonly messages: number;
  readonly bytes: number;
}

/** All pages of a window that holds everything, in both phases: what is open at `lower` are stragglers. */
async function readAll(
  { sql, url }: TideDatabase,
  limit: { readonly rows: number; readonly bytes: number },
  lower = START,
): Promise<Page[]> {
  const db = await connect({ url, maxConnections: 1 });
  try {
    const [life] = await sql<{ life: string }[]>`SELECT tide.begin_life() AS life`;
    const source = new PostgresPageSource(db, 1, life!.life);
    const window: Window = { number: 1, lower, upper: await source.mark() };
    const pages: Page[] = [];
    for (const phase of ["stragglers", "run"] as const) {
      let after = phase === "run" ? lower.topId : 0;
      for (;;) {
        const page = await source[phase](window, after, limit);
        if (page === null) break;
        pages.push(page);
        after = page.ids.at(-1)!;
      }
    }
    return pages;
  } finally {
    await db.close();
  }
}

function shapes(pages: readonly Page[]): Shape[] {
  return pages.map((page) => ({ messages: page.count, bytes: page.payload.bytes.length }));
}

/** Text of that many bytes that no codec makes smaller. */
function publishNoise(sql: postgres.Sql, count: number, bytes: number): Promise<unknown> {
  return sql.unsafe(`
    WITH noise AS MATERIALIZED (
      SELECT left(string_agg(md5(n::text), ''), ${bytes - 5}) AS text FROM generate_series(1, ${
    Math.ceil(bytes / 32)
  }) n
    )
    SELECT tide.outbox_publish('orders', to_jsonb(lpad(n::text, 3, '0') || text), 'k' || n)
    FROM noise, generate_series(1, ${count}) n`);
}

tideTest("200 messages of 900 kB that compress to nothing come in pages of 2 MiB", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders')`;
  const lower = await openWindow(database);
  await publishNoise(sql, 200, 900_000);
  const [stored] = await sql`SELECT (sum(pg_column_size(payload)) / 200)::int AS bytes FROM tide.message_1`;
  assert.ok(stored?.["bytes"] > 890_000, "stored as large as they are");
  for (const start of [START, lower]) {
    const pages = shapes(await readAll(database, { rows: 4000, bytes: 2 * MEBIBYTE }, start));
    assert.equal(pages.reduce((sum, { messages }) => sum + messages, 0), 200);
    assert.ok(pages.every(({ bytes }) => bytes <= 2 * MEBIBYTE), "no page is larger");
    assert.equal(pages.length, 100, "two messages fill a page");
  }
});

/** A mark that takes everything published afterwards, up to a large id, for stragglers: its next transaction is far away. */
async function openWindow({ sql }: TideDatabase) {
  const [row] = await sql<{ snapshot: string }[]>`SELECT pg_current_snapshot()::text AS snapshot`;
  return { snapshot: row!.snapshot, topId: 1_000_000, nextXid: "9000000000000000" };
}

tideTest(
  "a message larger than the bound is a page of its own, and small ones fill pages by rows",
  async (database) => {
    const { sql } = database;
    await sql`SELECT tide.outbox_create('orders')`;
    const lower = await openWindow(database);
    await publishNoise(sql, 25, 100);
    await publishNoise(sql, 2, 5000);
    await publishNoise(sql, 5, 100);
    for (const start of [START, lower]) {
      const pages = shapes(await readAll(database, { rows: 10, bytes: 2000 }, start));
      assert.deepEqual(pages.map(({ messages }) => messages), [10, 10, 5, 1, 1, 5]);
    }
    const exact = shapes(await readAll(database, { rows: 10, bytes: 102 }));
    assert.ok(exact.every(({ messages }) => messages === 1), "keys count as well");
    const zero = shapes(await readAll(database, { rows: 10, bytes: 0 }));
    assert.equal(zero.length, 32, "the first message always passes");
  },
);

tideTest("headers, the previous row and keys count against the bytes of a page", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders')`;
  const text = "x".repeat(1000);
  await sql`SELECT tide.outbox_publish('orders', '1', p_headers => jsonb_build_object('h', ${text}::text)),
    tide.outbox_publish('orders', '1', p_previous => to_jsonb(${text}::text)),
    tide.outbox_publish('orders', '1', ${text}), tide.outbox_publish('orders', to_jsonb(${text}::text))`;
  const counts = async (bytes: number) =>
    shapes(await readAll(database, { rows: 10, bytes })).map(({ messages }) => messages);
  assert.deepEqual(await counts(1500), [1, 1, 1, 1]);
  assert.deepEqual(await counts(2100), [2, 2]);
  assert.deepEqual(await counts(10_000), [4]);
});

tideTest("NULLs, empty texts and any characters stay in their columns", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders')`;
  const odd = [
    "",
    "k",
    "a,b",
    "line\nbreak",
    "tab\t\\N",
    "é",
    "😀",
    "null",
    "\u0001",
    "{}",
    "a".repeat(3000),
    '"',
    "\r\n",
  ];
  const messages: { key: string | null; headers: string | null; previous: string | null; payload: string }[] =
    [];
  for (const [i, text] of odd.entries()) {
    for (const nulls of [0, 1, 2, 3, 4, 5, 6, 7]) {
      messages.push({
        key: nulls & 1 ? null : text,
        headers: nulls & 2 ? null : JSON.stringify({ [`h${i}`]: text }),
        previous: nulls & 4 ? null : JSON.stringify(text),
        payload: JSON.stringify({ [`p${text}`]: [text, null, nulls] }),
      });
    }
  }
  for (const { key, headers, previous, payload } of messages) {
    await sql`SELECT tide.outbox_publish('orders', ${payload}::text::jsonb, ${key}, 'update', ${headers}::text::jsonb,
      ${previous}::text::jsonb)`;
  }
  for (const rows of [1, 7, 1000]) {
    const pages = await readAll(database, { rows, bytes: 1_000_000 });
    const read = pages.flatMap((page) =>
      Array.from({ length: page.count }, (_, row) => ({
        key: textAt(page.dedupKey, row),
        headers: parsed(textAt(page.headers, row)),
        previous: parsed(textAt(page.previous, row)),
        payload: parsed(textAt(page.payload, row)),
      }))
    );
    const expected = messages.map(({ key, headers, previous, payload }) => ({
      key,
      headers: parsed(headers),
      previous: parsed(previous),
      payload: parsed(payload),
    }));
    assert.deepEqual(read, expected);
  }
});

function parsed(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}

tideTest("times are exact to the microsecond, and ops and ids are what was published", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders')`;
  const ops = ["insert", "update", "delete", "read", "truncate"];
  for (const op of ops) await sql`SELECT tide.outbox_publish('orders', 'null', p_op => ${op})`;
  await sql`SELECT setval('tide.id_1', 9007199254740989)`;
  await sql`SELECT tide.outbox_publish('orders', 'null')`;
  const times = [
    "2026-01-31 12:00:00.123456+00",
    "2026-01-31 12:00:00.000001+00",
    "1970-01-01 00:00:00+00",
    "2099-12-31 23:59:59.999999+00",
  ];
  for (const [i, time] of times.entries()) {
    await sql`UPDATE tide.message_1 SET created_at = ${time}::text::timestamptz WHERE id = ${i + 1}`;
  }
  const [page, ...more] = await readAll(database, { rows: 100, bytes: 1000 });
  assert.deepEqual(more, []);
  assert.deepEqual([...page!.ids], [1, 2, 3, 4, 5, 9007199254740990]);
  const [row] =
    await sql`SELECT array_agg(date_part('epoch', t::timestamptz) * 1000000 ORDER BY i)::bigint[] AS micros
    FROM unnest(${times}::text[]) WITH ORDINALITY AS u (t, i)`;
  for (const [i, micros] of (row!["micros"] as string[]).entries()) {
    assert.equal(Math.round(page!.createdMs[i]! * 1000), Number(micros), times[i]);
  }
  assert.deepEqual([...page!.ops].map((op) => OPS[op]), [...ops, "insert"]);
});

tideTest("what a reader sees does not depend on its session's settings", async (database) => {
  const sql = database.connect();
  await sql`SELECT tide.outbox_create('orders')`;
  await sql`SELECT tide.outbox_publish('orders', '{"a": 1.50}', 'k'), tide.outbox_publish('orders', '2')`;
  const read = () => sql`SELECT * FROM tide.read_run_1('3:3:', pg_current_snapshot(), 0, 10, 10, 1000)`;
  const [usual] = await read();
  for (
    const setting of [
      "extra_float_digits = -15",
      "timezone = 'Asia/Kathmandu'",
      "datestyle = 'German'",
      "intervalstyle = 'sql_standard'",
      "bytea_output = 'escape'",
      "search_path = ''",
      "enable_indexscan = off",
      "work_mem = '64kB'",
      "default_transaction_isolation = 'serializable'",
      "plan_cache_mode = force_custom_plan",
    ]
  ) {
    await sql.unsafe(`SET ${setting}`);
    assert.deepEqual((await read())[0], usual, setting);
  }
});
