/**
 * Publishing: the page's calls, what is stored, what is refused, and who may.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { PUBLISH_MESSAGES, SET_UP_THE_OUTBOX } from "../../demo/complete_example.ts";
import { printInstall } from "../../../src/pg/migrate.ts";
import { startPostgres } from "../../support/postgres.ts";
import { POSTGRES_VERSIONS, tideDatabase, tideTest } from "../../support/tide_database.ts";
import { deliverAll } from "./positions.ts";

/** The messages of the first outbox, as they are stored. */
function stored(sql: postgres.Sql): Promise<postgres.Row[]> {
  return sql`SELECT id::int, op::text, dedup_key, payload, headers, previous FROM tide.message_1 ORDER BY id`;
}

tideTest("the page's example publishes one message in the transaction of its order", async (database) => {
  const sql = database.connect();
  await sql.unsafe(SET_UP_THE_OUTBOX);
  await sql`CREATE TABLE orders (id uuid, customer_id text, total numeric, status text)`;
  await sql.unsafe(PUBLISH_MESSAGES).simple();
  const [message, ...more] = await sql`
    SELECT m.*, m.xid::text = o.xmin::text AS together, abs(date_part('epoch', clock_timestamp() - m.created_at)) < 60 AS now
    FROM tide.message_1 m, orders o`;
  assert.deepEqual(more, []);
  assert.equal(message?.["id"], "1");
  assert.equal(message["op"], "i");
  assert.equal(message["dedup_key"], "ord-12345");
  assert.equal(message["together"], true);
  assert.equal(message["now"], true);
  assert.equal(
    message["payload"],
    `{"items": [{"qty": 2, "sku": "WIDGET-A"}], "total": 99.99, "order_id": "ord-12345", ` +
      `"event_type": "order.confirmed", "customer_id": "cust-789"}`,
  );
});

tideTest(
  "publishing works with an empty search_path, and with tide and others first in it",
  async (database) => {
    const sql = database.connect();
    await sql`SELECT tide.outbox_create('orders')`;
    await sql`CREATE SCHEMA evil`;
    await sql`CREATE FUNCTION evil.octet_length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1 / 0'`;
    for (const path of ["''", "evil, pg_catalog", "tide, public"]) {
      await sql.unsafe(`SET search_path = ${path}`);
      await sql`SELECT tide.outbox_publish('orders', '{"a": 1}', 'k')`;
      await sql`SELECT tide.outbox_publish_many('orders', '[{"payload": 1}]')`;
    }
    assert.equal((await stored(sql)).length, 6);
  },
);

tideTest("what is stored is the text of the jsonb, with every argument in its column", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders')`;
  const payloads = [
    `{"b":  1, "a": [1, 2.50, 1e3, -0.0], "text": "line\\nbreak \\u00e9 \\ud83d\\ude00 \\"quoted\\""}`,
    `12345678901234567890.000000000000000000001`,
    `"just text"`,
    `[]`,
    `null`,
  ];
  for (const payload of payloads) {
    await sql`SELECT tide.outbox_publish('orders', ${payload}::text::jsonb)`;
  }
  const kept = await stored(sql);
  for (const [i, payload] of payloads.entries()) {
    const [row] = await sql`SELECT ${payload}::text::jsonb::text AS text`;
    assert.equal(kept[i]?.["payload"], row?.["text"]);
    assert.ok(!kept[i]!["payload"].includes("\n"), "pages are joined by newlines");
  }
  await sql`SELECT tide.outbox_publish(p_outbox => 'orders', p_payload => '{"id": 7}', p_dedup_key => ${"k\n,"},
    p_op => 'update', p_headers => '{"trace": "é", "": ""}', p_previous => '{"id": 6}')`;
  assert.deepEqual((await stored(sql)).at(-1), {
    id: 6,
    op: "u",
    dedup_key: "k\n,",
    payload: '{"id": 7}',
    headers: '{"": "", "trace": "é"}',
    previous: '{"id": 6}',
  });
  for (const op of ["insert", "update", "delete", "read", "truncate"]) {
    await sql`SELECT tide.outbox_publish('orders', 'null', NULL, ${op})`;
    assert.equal((await stored(sql)).at(-1)?.["op"], op[0]);
  }
});

tideTest("every refusal has its SQLSTATE, says what is wrong and what to do", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders', max_message_bytes => 100)`;
  const outbox = /^Cannot publish to outbox "orders": /;
  const refusals: [string, object][] = [
    [`'orders', NULL`, { code: "TD003", message: /payload is NULL/, hint: /'null'::jsonb/ }],
    [`'nothing', '1'`, { code: "TD001", message: /no outbox "nothing" for role/, hint: /outbox_create/ }],
    [`NULL, '1'`, { code: "TD001", message: /no outbox NULL/ }],
    [`'', '1'`, { code: "TD001" }],
    [`'ORDERS', '1'`, { code: "TD001" }],
    [`'orders', '1', p_op => 'upsert'`, { code: "TD004", message: /op is 'upsert', expected insert/ }],
    [`'orders', '1', p_op => 'i'`, { code: "TD004" }],
    [`'orders', '1', p_op => NULL`, { code: "TD004", message: /op is NULL/ }],
    [`'orders', '1', p_headers => '[]'`, { code: "TD005", message: /of type array, expected an object/ }],
    [`'orders', '1', p_headers => 'null'`, { code: "TD005" }],
    [`'orders', '1', p_headers => '{"a": 1}'`, { code: "TD005", hint: /as a string/ }],
    [`'orders', '1', p_headers => '{"a": "b", "c": null}'`, { code: "TD005" }],
    [`'orders', '1', p_headers => '{"a": {"b": "c"}}'`, { code: "TD005" }],
    [`'orders', to_jsonb(repeat('x', 99))`, {
      code: "TD006",
      message: /has 101 bytes as text, expected at most 100/,
    }],
    [`'orders', to_jsonb(repeat('é', 50))`, { code: "TD006", message: /has 102 bytes/ }],
    [`'orders', '1', repeat('k', 100)`, { code: "TD006", hint: /max_message_bytes/ }],
    [`'orders', '1', p_headers => jsonb_build_object('a', repeat('x', 99))`, { code: "TD006" }],
    [`'orders', '1', p_previous => to_jsonb(repeat('x', 99))`, { code: "TD006" }],
  ];
  for (const [args, expected] of refusals) {
    await assert.rejects(sql.unsafe(`SELECT tide.outbox_publish(${args})`), expected, args);
  }
  await sql`SELECT tide.outbox_disable('orders')`;
  await assert.rejects(sql`SELECT tide.outbox_publish('orders', '1')`, {
    code: "TD002",
    message: outbox,
    hint: /tide\.outbox_enable\('orders'\)/,
  });
  await sql`SELECT tide.outbox_enable('orders')`;
  await sql`SELECT tide.outbox_publish('orders', to_jsonb(repeat('x', 98)))`;
  assert.equal((await stored(sql)).length, 1, "nothing refused was stored");
});

tideTest(
  "numbers that are short as jsonb and huge as text hit the publisher, not the reader",
  async ({ sql }) => {
    await sql`SELECT tide.outbox_create('orders')`;
    const bomb = (elements: number) =>
      sql`SELECT tide.outbox_publish('orders', (SELECT jsonb_agg(1e131000::numeric) FROM generate_series(1, ${elements})))`;
    await assert.rejects(bomb(1000), {
      code: "TD006",
      message: /has 13\d{7} bytes as text, expected at most 16777216/,
    });

    await bomb(100);
    assert.equal((await stored(sql)).length, 1);
  },
);

tideTest("outbox_publish_many() publishes in order, and names the element that is wrong", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders')`;
  const [row] = await sql`SELECT tide.outbox_publish_many('orders', '[
    {"payload": {"n": 1}, "dedup_key": "a"},
    {"payload": null, "op": "delete", "headers": {"h": "1"}, "previous": {"n": 1}},
    {"payload": 3, "dedup_key": null, "op": null, "headers": null, "previous": null}]') AS ids`;
  assert.deepEqual(row?.["ids"], ["1", "2", "3"]);
  assert.deepEqual([...await stored(sql)], [
    { id: 1, op: "i", dedup_key: "a", payload: '{"n": 1}', headers: null, previous: null },
    { id: 2, op: "d", dedup_key: null, payload: "null", headers: '{"h": "1"}', previous: '{"n": 1}' },
    { id: 3, op: "i", dedup_key: null, payload: "3", headers: null, previous: null },
  ]);
  const [none] = await sql`SELECT tide.outbox_publish_many('orders', '[]') AS ids`;
  assert.deepEqual(none?.["ids"], []);

  const refusals: [string, object][] = [
    [`[{"payload": 1}, {"payload": 2, "key": "x"}]`, {
      code: "TD003",
      message: /message 1 .*unknown member key/,
    }],
    [`[{"payload": 1}, 5]`, { code: "TD003", message: /message 1 .*of type number, expected an object/ }],
    [`[{"dedup_key": "x"}]`, { code: "TD003", message: /message 0 .*payload is NULL/ }],
    [`[{"payload": 1, "dedup_key": 7}]`, { code: "TD003", message: /dedup_key is of type number/ }],
    [`[{"payload": 1, "op": "x"}]`, { code: "TD004", message: /message 0 / }],
    [`[{"payload": 1, "headers": {"a": 1}}]`, { code: "TD005", message: /message 0 / }],
    [`{"payload": 1}`, { code: "TD003", message: /of type object, expected an array/ }],
  ];
  for (const [messages, expected] of refusals) {
    await assert.rejects(sql`SELECT tide.outbox_publish_many('orders', ${messages}::text::jsonb)`, expected);
  }
  await assert.rejects(sql`SELECT tide.outbox_publish_many('orders', NULL)`, { code: "TD003" });
  await assert.rejects(sql`SELECT tide.outbox_publish_many('nothing', '[]')`, { code: "TD001" });
  assert.equal((await stored(sql)).length, 3, "an array is published whole or not at all");
});

tideTest("what is rolled back, wholly or to a savepoint, was never published", async (database) => {
  const sql = database.connect();
  await sql`SELECT tide.outbox_create('orders')`;
  await sql.unsafe(`
    BEGIN; SELECT tide.outbox_publish('orders', '"gone"'); ROLLBACK;
    BEGIN; SELECT tide.outbox_publish('orders', '"kept 1"');
    SAVEPOINT s; SELECT tide.outbox_publish('orders', '"gone"'); ROLLBACK TO s;
    SELECT tide.outbox_publish('orders', '"kept 2"'); COMMIT;
    DO $$ BEGIN
      PERFORM tide.outbox_publish('orders', '"kept 3"');
      BEGIN PERFORM tide.outbox_publish('orders', '"gone"'); RAISE division_by_zero;
      EXCEPTION WHEN division_by_zero THEN PERFORM tide.outbox_publish('orders', '"kept 4"'); END;
    END $$;`).simple();
  const rows = await sql`SELECT payload, xid::text FROM tide.message_1 ORDER BY id`;
  assert.deepEqual(rows.map(({ payload }) => payload), ['"kept 1"', '"kept 2"', '"kept 3"', '"kept 4"']);
  const xids = rows.map(({ xid }) => xid);
  assert.deepEqual([xids[0], xids[2]], [xids[1], xids[3]], "rows carry the id of the whole transaction");
});

tideTest(
  "a transaction that published can be prepared, where transactions can be prepared",
  async (database) => {
    const sql = database.connect();
    await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('noisy', wakeup => 'notify')`;
    const [row] =
      await sql`SELECT tide.ask_for_wakeup(1, 60000) AS asked, tide.ask_for_wakeup(2, 60000) AS noisy`;
    assert.deepEqual(row, { asked: false, noisy: true });
    // Even a deadline from before a restart with other settings must not make it fail.
    await sql`SELECT setval('tide.wait_1', 9007199254740991)`;
    await sql`BEGIN`;
    await sql`SELECT tide.outbox_publish('orders', '1')`;
    await sql.unsafe(`PREPARE TRANSACTION '${database.name}'`);
    assert.equal((await stored(sql)).length, 0);
    await sql.unsafe(`COMMIT PREPARED '${database.name}'`);
    assert.equal((await stored(sql)).length, 1);
    await sql`BEGIN`;
    await sql`SELECT tide.outbox_publish('noisy', '1')`;
    await assert.rejects(sql`PREPARE TRANSACTION 'noisy'`, { code: "0A000" });
  },
);

for (const version of POSTGRES_VERSIONS) {
  Deno.test(`publishers notify a relay that asked for it, until its deadline (PostgreSQL ${version})`, async () => {
    await using server = await startPostgres({ version, durable: false });
    await using database = await tideDatabase(server);
    const { sql } = database;
    await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('quiet', wakeup => 'poll')`;
    const heard: string[] = [];
    const listener = database.connect();
    for (const channel of ["tide_1", "tide_2"]) {
      await listener.listen(channel, (text) => heard.push(channel + text));
    }
    const publish = async () => {
      await sql`SELECT tide.outbox_publish('orders', '1'), tide.outbox_publish('quiet', '1')`;
      await listener.notify("tide_1", " end");
      while (heard.at(-1) !== "tide_1 end") await new Promise((resolve) => setTimeout(resolve, 5));
      return heard.splice(0).slice(0, -1);
    };
    assert.deepEqual(await publish(), []);
    const [asked] =
      await sql`SELECT tide.ask_for_wakeup(1, 60000) AS orders, tide.ask_for_wakeup(2, 60000) AS quiet`;
    assert.deepEqual(asked, { orders: true, quiet: false });
    assert.deepEqual(await publish(), ["tide_1"]);
    await sql`SELECT setval('tide.wait_1', (date_part('epoch', clock_timestamp()) * 1000)::bigint - 1)`;
    assert.deepEqual(await publish(), []);
    await sql`SELECT tide.ask_for_wakeup(1, 60000)`;
    const [before] = await sql`SELECT last_value FROM tide.wait_1`;
    await sql`SELECT tide.ask_for_wakeup(1, 60000)`;
    const [after] = await sql`SELECT last_value FROM tide.wait_1`;
    assert.deepEqual(after, before, "it is written at most every fifth of the time");
  });
}

tideTest(
  "publishing waits for nothing that relays and administrators have not committed",
  async (database) => {
    const { sql } = database;
    await sql`SELECT tide.outbox_create('orders', retention_hours => 1), tide.outbox_create('other')`;
    await sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', '{"sink_type": "stdout"}')`;
    await sql`SELECT tide.check_numbering('me')`;
    await sql`SELECT tide.outbox_publish('orders', '1')`;
    await deliverAll(sql, "p");
    await sql`UPDATE tide.message_1 SET created_at = created_at - interval '5 hours'`;
    await sql`SELECT setval('tide.slot_1', 1)`;
    const role = await database.createRole();
    const changes = [
      "SELECT tide.outbox_create('another')",
      "SELECT tide.outbox_drop('other')",
      "SELECT tide.outbox_disable('orders')",
      `SELECT tide.grant_publish('orders', '${role.name}'), tide.grant_relay('${role.name}')`,
      `SELECT tide.relay_set_outbox('p', 'orders', 'g', '{"sink_type": "stdout"}')`,
      "UPDATE tide.cluster SET timeline = 'x'; SELECT tide.check_numbering('me')",
      "SELECT tide.ask_for_wakeup(1, 5000)",
      "UPDATE tide.lease SET holder = 'me'; SELECT * FROM tide.outbox, tide.pipeline, tide.lease FOR UPDATE",
      "SELECT tide.outbox_rotate()",
      printInstall([]),
    ];
    const publisher = database.connect();
    await publisher`SET lock_timeout = '100ms'`;
    for (const change of changes) {
      const changing = database.connect();
      // The installation commits by itself; the others are left open.
      await changing.unsafe(change.startsWith("--") ? change : `BEGIN; ${change}`).simple();
      await publisher`SELECT tide.outbox_publish('orders', '2')`;
      const fresh = database.connect({ connection: { lock_timeout: 100 } as object });
      await fresh`SELECT tide.outbox_publish('orders', '2')`;
      await changing.unsafe(change.includes("rotate") ? "COMMIT" : "ROLLBACK");
      await Promise.all([changing.end(), fresh.end()]);
    }
    assert.deepEqual([...await sql`SELECT count(*)::int FROM tide.message_1 WHERE payload = '1'`], [{
      count: 0,
    }]);
  },
);

tideTest("nothing of autovacuum's holds a slot", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders')`;
  const slots = await sql`
    SELECT c.reloptions @> '{autovacuum_enabled=false}' AND t.reloptions @> '{autovacuum_enabled=false}' AS off
    FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.relname ~ '^message_1_[0-3]$'`;
  assert.deepEqual(slots.map(({ off }) => off), [true, true, true, true]);
});
