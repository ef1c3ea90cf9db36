/**
 * Which outbox a call of `outbox_publish` reaches: by its name, the caller's rights and nothing else.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { tideTest } from "../../support/tide_database.ts";

/** The messages of the first outbox, as they are stored. */
function stored(sql: postgres.Sql): Promise<postgres.Row[]> {
  return sql`SELECT id::int, op::text, dedup_key, payload, headers, previous FROM tide.message_1 ORDER BY id`;
}

tideTest(
  "a role publishes where it was granted to, and hears the same of all other outboxes",
  async (database) => {
    const { sql } = database;
    await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('payroll')`;
    const [app, stranger] = [await database.createRole(), await database.createRole()];
    await sql`SELECT tide.grant_publish('orders', ${app.name})`;
    await app.sql`SELECT tide.outbox_publish('orders', '1', 'k', 'insert', '{"a": "b"}', '2')`;
    await app.sql`SELECT tide.outbox_publish_many('orders', '[{"payload": 1}]')`;

    const heard = async (statement: string) => {
      const error = await app.sql.unsafe(statement).then(
        () => assert.fail("must be refused"),
        (error) => error,
      );
      return {
        code: error.code,
        message: error.message.replaceAll(/payroll|nothing/g, "it"),
        hint: error.hint,
      };
    };
    for (const call of ["outbox_publish('it', '1')", "outbox_publish_many('it', '[]')"]) {
      const [forbidden, unknown] = [
        await heard(`SELECT tide.${call.replace("it", "payroll")}`),
        await heard(`SELECT tide.${call.replace("it", "nothing")}`),
      ];
      assert.equal(forbidden.code, "TD001");
      assert.deepEqual(forbidden, unknown);
    }
    await assert.rejects(app.sql`SELECT tide.publish_2('1', NULL, 'insert', NULL, NULL, NULL)`, {
      code: "42501",
    });
    await assert.rejects(app.sql`INSERT INTO tide.message_1 SELECT * FROM tide.message_1`, { code: "42501" });
    await assert.rejects(app.sql`SELECT nextval('tide.id_1')`, { code: "42501" });
    await assert.rejects(stranger.sql`SELECT tide.outbox_publish('orders', '1')`, { code: "42501" });

    await sql`SELECT tide.revoke_publish('orders', ${app.name})`;
    assert.equal((await heard("SELECT tide.outbox_publish('orders', '1')")).code, "TD001");
  },
);

tideTest(
  "SET ROLE takes the right away at once, in the same transaction and in functions too",
  async (database) => {
    const { sql } = database;
    await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('payroll')`;
    const [app, other] = [await database.createRole(), await database.createRole()];
    await sql`SELECT tide.grant_publish('orders', ${app.name}), tide.grant_publish('payroll', ${other.name})`;
    await sql.unsafe(`GRANT ${other.name} TO ${app.name}`);
    await sql.unsafe(`ALTER ROLE ${app.name} NOINHERIT`);
    await app.sql.begin(async (sql) => {
      await sql`SELECT tide.outbox_publish('orders', '1')`;
      await sql.unsafe(`SET LOCAL ROLE ${other.name}`);
      await sql`SELECT tide.outbox_publish('payroll', '1')`;
      await assert.rejects(
        sql.savepoint((sql) => sql`SELECT tide.outbox_publish('orders', '2')`),
        { code: "TD001", message: new RegExp(other.name) },
      );
      await sql`RESET ROLE`;
      await sql`SELECT tide.outbox_publish('orders', '3')`;
    });
    // A definer function of the application's own publishes with its owner's right.
    await sql.unsafe(`CREATE FUNCTION public.place_order() RETURNS bigint LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT tide.outbox_publish('orders', '4') $$; ALTER FUNCTION public.place_order() OWNER TO ${app.name};
    CREATE FUNCTION public.as_caller() RETURNS bigint LANGUAGE sql AS $$ SELECT tide.outbox_publish('orders', '5') $$`)
      .simple();
    await other.sql`SELECT public.place_order()`;
    await assert.rejects(other.sql`SELECT public.as_caller()`, { code: "TD001" });
    assert.deepEqual((await stored(sql)).map(({ payload }) => payload), ["1", "3", "4"]);
  },
);

tideTest(
  "a publisher's temporary tables and functions do not stand in for the schema's",
  async (database) => {
    const { sql } = database;
    await sql`SELECT tide.outbox_create('orders', max_message_bytes => 10), tide.outbox_create('payroll')`;
    const app = await database.createRole();
    await sql`SELECT tide.grant_publish('orders', ${app.name})`;
    await app.sql.unsafe(`
    CREATE TEMP TABLE outbox AS SELECT 2 AS number, 'orders' AS name, 1000000 AS max_message_bytes, true AS enabled;
    CREATE TEMP TABLE message_1 (id bigint);
    CREATE TEMP SEQUENCE id_1;
    CREATE FUNCTION pg_temp.octet_length(text) RETURNS integer LANGUAGE sql AS 'SELECT 0';
    SET search_path = pg_temp, pg_catalog, tide`).simple();
    await assert.rejects(app.sql`SELECT tide.outbox_publish('orders', to_jsonb(repeat('x', 20)))`, {
      code: "TD006",
    });
    await assert.rejects(app.sql`SELECT tide.outbox_publish('payroll', '1')`, { code: "TD001" });
    await app.sql`SELECT tide.outbox_publish('orders', '1')`;
    assert.equal((await stored(sql)).length, 1);
  },
);

tideTest("outboxes with many names find their own", async ({ sql }) => {
  const names = ["b", "a", "B", "_", "a.b", "a-b", "0", "zz", "a".repeat(63), "ab", "aB", "9_x"];
  for (const name of names) await sql`SELECT tide.outbox_create(${name})`;
  for (const name of names) await sql`SELECT tide.outbox_publish(${name}, to_jsonb(${name}::text))`;
  for (const [i, name] of names.entries()) {
    assert.deepEqual([...await sql.unsafe(`SELECT payload FROM tide.message_${i + 1}`)], [{
      payload: `"${name}"`,
    }]);
  }
  for (const name of names.filter((_, i) => i % 2 === 0)) await sql`SELECT tide.outbox_drop(${name})`;
  for (const [i, name] of names.entries()) {
    const publish = sql`SELECT tide.outbox_publish(${name}, '1')`;
    await (i % 2 === 0 ? assert.rejects(publish, { code: "TD001" }) : publish);
  }
});

tideTest("outboxes that are made and dropped at once are all found afterwards", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('old')`;
  const late = database.connect();
  await late`BEGIN ISOLATION LEVEL REPEATABLE READ`;
  await late`SELECT count(*) FROM tide.outbox`;
  const names = Array.from({ length: 8 }, (_, i) => `made_${i}`);
  await Promise.all([
    ...names.map((name) => database.connect()`SELECT tide.outbox_create(${name})`),
    database.connect()`SELECT tide.outbox_drop('old')`,
  ]);
  for (const name of names) await sql`SELECT tide.outbox_publish(${name}, '1')`;
  await assert.rejects(sql`SELECT tide.outbox_publish('old', '1')`, { code: "TD001" });
  // Its snapshot misses the others: it must fail rather than write a dispatcher without them.
  await assert.rejects(late`SELECT tide.outbox_create('late')`, { code: "40001" });
});
