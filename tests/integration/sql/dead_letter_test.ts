/**
 * Dead letters: found, shown, thrown away, and kept otherwise.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { printInstall } from "../../../src/pg/migrate.ts";
import { INSTALLED_PLUGINS, tideTest } from "../../support/tide_database.ts";

/** Two outboxes with a pipeline each, and letters 1 to 6: odd ones of `p`, even ones of `q`, a day after the other. */
async function setUp(sql: postgres.Sql): Promise<void> {
  await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('payroll')`;
  await sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', '{"sink_type": "stdout"}')`;
  await sql`SELECT tide.relay_set_outbox('q', 'payroll', 'g', '{"sink_type": "stdout"}')`;
  await sql`
    INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
      attempts, created_at, failed_at, op, dedup_key, payload, headers, previous, topic, record_key, partition)
    SELECT CASE n % 2 WHEN 1 THEN 'p' ELSE 'q' END, CASE n % 2 WHEN 1 THEN 'orders' ELSE 'payroll' END, 2 - n % 2, 'i', n, 0,
      'deliver', CASE WHEN n > 4 THEN 'MESSAGE_TOO_LARGE' ELSE 'TEMPLATE_VALUE_MISSING' END, 'reason ' || n, n,
      '2026-01-01T00:00:00Z', timestamptz '2026-02-01T00:00:00Z' + make_interval(days => n), 'insert', 'key ' || n,
      '{"n": 1}', '{"h": "1"}', '{"n": 0}', 'topic', 'record key', nullif(n, 1)
    FROM generate_series(1, 6) n`;
}

async function list(sql: postgres.Sql, args = ""): Promise<number[]> {
  return (await sql.unsafe(`SELECT message_id::int AS id FROM tide.dlq_list(${args})`)).map(({ id }) => id);
}

tideTest("dlq_list() finds letters by pipeline, code and time, oldest first", async ({ sql }) => {
  await setUp(sql);
  assert.deepEqual(await list(sql), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await list(sql, "'p'"), [1, 3, 5]);
  assert.deepEqual(await list(sql, "p_code => 'MESSAGE_TOO_LARGE'"), [5, 6]);
  assert.deepEqual(await list(sql, "'q', 'TEMPLATE_VALUE_MISSING', '2026-02-04T00:00:00Z'"), [2]);
  assert.deepEqual(await list(sql, "p_limit => 2"), [1, 2]);
  assert.deepEqual(await list(sql, "'p', p_limit => 2, p_after => 1"), [3, 5]);
  assert.deepEqual(await list(sql, "'nothing'"), []);
  const places = await sql`SELECT topic, record_key, partition FROM tide.dlq_list(p_limit => 2)`;
  assert.deepEqual([...places], [
    { topic: "topic", record_key: "record key", partition: null },
    { topic: "topic", record_key: "record key", partition: 2 },
  ]);
});

tideTest("dlq_show() gives everything that is needed to send a letter again", async ({ sql }) => {
  await setUp(sql);
  const [letter] = await sql`SELECT * FROM tide.dlq_show(3)`;
  const { created_at: createdAt, failed_at: failedAt, first_failed_at: firstFailedAt, ...rest } = letter!;
  assert.deepEqual([createdAt.toISOString(), failedAt.toISOString()], [
    "2026-01-01T00:00:00.000Z",
    "2026-02-04T00:00:00.000Z",
  ]);
  assert.ok(firstFailedAt instanceof Date);
  assert.deepEqual(rest, {
    id: "3",
    pipeline: "p",
    outbox: "orders",
    outbox_number: 1,
    incarnation: "i",
    message_id: "3",
    record_index: 0,
    stage: "deliver",
    failure: "rejected",
    code: "TEMPLATE_VALUE_MISSING",
    reason: "reason 3",
    attempts: 3,
    retries: 0,
    retried_at: null,
    revision: null,
    edited_payload: null,
    edits: 0,
    op: "insert",
    dedup_key: "key 3",
    payload: '{"n": 1}',
    headers: '{"h": "1"}',
    previous: '{"n": 0}',
    topic: "topic",
    record_key: "record key",
    partition: 3,
  });
  for (const id of ["99", "NULL"]) {
    await assert.rejects(sql.unsafe(`SELECT * FROM tide.dlq_show(${id})`), {
      code: "TD050",
      message: new RegExp(`^Cannot show dead letter ${id}: `),
      hint: /dlq_list/,
    });
  }
});

tideTest(
  "dlq_discard() throws away what matches all that is said, and nothing when nothing is said",
  async ({ sql }) => {
    await setUp(sql);
    const discard = async (args: string) =>
      (await sql.unsafe(`SELECT tide.dlq_discard(${args})::int AS count`))[0]!["count"];
    await assert.rejects(discard(""), { code: "TD051", hint: /For example/ });
    await assert.rejects(discard("NULL, NULL"), { code: "TD051" });
    assert.equal(await discard("'p', p_code => 'MESSAGE_TOO_LARGE'"), 1);
    assert.equal(await discard("'q', 1"), 0, "letter 1 belongs to another pipeline");
    assert.equal(await discard("p_id => 1"), 1);
    assert.deepEqual(await list(sql), [2, 3, 4, 6]);
    assert.equal(await discard("p_before => '2026-02-05T00:00:00Z'"), 2);
    assert.equal(await discard("'q'"), 2);
    assert.deepEqual(await list(sql), []);
  },
);

tideTest("dlq_count() and dlq_status() count what matches", async ({ sql }) => {
  await setUp(sql);
  const count = async (args: string) =>
    (await sql.unsafe(`SELECT tide.dlq_count(${args})::int AS count`))[0]!["count"];
  assert.deepEqual(
    [
      await count(""),
      await count("'p'"),
      await count("'p', 2"),
      await count("p_code => 'MESSAGE_TOO_LARGE'"),
    ],
    [6, 3, 0, 2],
  );
  assert.equal(await count("p_before => '2026-02-03T00:00:00Z'"), 1);
  const sums = async (args: string) =>
    (await sql.unsafe(`SELECT pipeline, code, letters::int FROM tide.dlq_status(${args})`)).map((row) =>
      Object.values(row).join(" ")
    );
  const ofP = ["p TEMPLATE_VALUE_MISSING 2", "p MESSAGE_TOO_LARGE 1"];
  assert.deepEqual(await sums("'p'"), ofP);
  assert.deepEqual(await sums(""), [...ofP, "q TEMPLATE_VALUE_MISSING 2", "q MESSAGE_TOO_LARGE 1"]);
});

tideTest("a role sees and discards the letters of its outboxes alone, by every way", async (database) => {
  const { sql } = database;
  await setUp(sql);
  const role = await database.createRole();
  await sql`SELECT tide.grant_pipeline('orders', ${role.name})`;
  assert.deepEqual(await list(role.sql), [1, 3, 5]);
  assert.deepEqual(await list(role.sql, "'q'"), []);
  await assert.rejects(role.sql`SELECT * FROM tide.dlq_show(2)`, { code: "TD050" });
  assert.deepEqual(
    [...await role.sql`SELECT tide.dlq_discard(p_code => 'MESSAGE_TOO_LARGE')::int AS count`],
    [{ count: 1 }],
  );
  assert.equal((await role.sql`DELETE FROM tide.dead_letter`).count, 2);
  await assert.rejects(role.sql`UPDATE tide.dead_letter SET code = 'x'`, { code: "42501" });
  assert.deepEqual(await list(sql), [2, 4, 6]);
});

tideTest("letters outlive their pipeline, which says so, and their outbox", async (database) => {
  const notices: string[] = [];
  const sql = database.connect({ onnotice: (notice) => notices.push(notice["message"]!) });
  await setUp(sql);
  const admin = await database.createRole();
  await sql`SELECT tide.grant_admin(${admin.name})`;
  await sql`SELECT tide.relay_delete('q')`;
  assert.deepEqual(notices, [`Pipeline "q" had 3 dead letters, which are kept: see tide.dlq_list('q')`]);
  await sql`SELECT tide.outbox_drop('payroll')`;
  assert.deepEqual(await list(sql, "'q'"), [2, 4, 6]);
  assert.deepEqual(await list(admin.sql, "'q'"), [2, 4, 6]);
});

/** The installation as it was before one of its migrations. */
function printInstallBefore(migration: string): string {
  const script = printInstall(INSTALLED_PLUGINS);
  const start = script.lastIndexOf("DO $step$", script.indexOf(`$${migration}$`));
  const end = script.lastIndexOf("$step$;") + "$step$;".length;
  assert.ok(0 < start && start < end, migration);
  return script.slice(0, start) + script.slice(end);
}

tideTest(
  "letters, and who may see them, outlast the upgrade for partitions",
  async (database) => {
    const sql = database.connect();
    await sql`DROP SCHEMA tide CASCADE`;
    await sql.unsafe(printInstallBefore("migration_12")).simple();
    await sql`SELECT tide.outbox_create('orders')`;
    await sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', '{"sink_type": "stdout"}')`;
    await sql`
    INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
      attempts, created_at, op, payload)
    VALUES ('p', 'orders', 1, 'i', 7, 0, 'deliver', 'MESSAGE_TOO_LARGE', 'reason', 1, now(), 'insert', '{}')`;
    const [operator, relay, nobody] = [
      await database.createRole(),
      await database.createRole(),
      await database.createRole(),
    ];
    await sql`SELECT tide.grant_pipeline('orders', ${operator.name}), tide.grant_relay(${relay.name})`;
    await sql.unsafe(printInstall(INSTALLED_PLUGINS)).simple();
    for (const role of [operator, relay]) {
      const letters = await role.sql`SELECT message_id::int, partition FROM tide.dlq_list()`;
      assert.deepEqual([...letters], [{ message_id: 7, partition: null }]);
    }
    await assert.rejects(nobody.sql`SELECT * FROM tide.dlq_list()`, { code: "42501" });
  },
);
