/**
 * Whether saved positions belong to the server's numbering: after a restore, an upgrade, a failover, and in everyday life.
 */

import { strict as assert } from "node:assert";
import postgres from "postgres";
import { printInstall } from "../../../src/pg/migrate.ts";
import { startPostgres } from "../../support/postgres.ts";
import { POSTGRES_VERSIONS, tideTest } from "../../support/tide_database.ts";
import { deliverAll, savePosition, takeMark } from "./positions.ts";

interface Check {
  readonly verdict: string;
  readonly detail: string;
  readonly moved: string[];
}

async function check(sql: postgres.Sql, holder = "me", adopt = false): Promise<Check> {
  const [row] = await sql<Check[]>`
    SELECT verdict, detail, sequences_moved AS moved FROM tide.check_numbering(${holder}, ${adopt})`;
  return { ...row! };
}

const OK: Check = { verdict: "ok", detail: "", moved: [] };

/** An outbox with three delivered messages. */
async function makeOutbox(sql: postgres.Sql): Promise<void> {
  await sql`SELECT tide.outbox_create('orders')`;
  await sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', '{"sink_type": "stdout"}')`;
  await sql`SELECT tide.outbox_publish('orders', to_jsonb(n)) FROM generate_series(1, 3) n`;
  await deliverAll(sql, "p");
}

/** Everything that must not move when the check says no. */
function belongings(sql: postgres.Sql): Promise<postgres.Row[]> {
  return sql`SELECT o.incarnation, s.last_value, c.system_identifier, c.timeline, c.next_xid::text,
      (SELECT count(*)::int FROM tide.window) AS windows, (SELECT max(n)::text FROM tide.position_log) AS position
    FROM tide.outbox o, tide.id_1 s, tide.cluster c`;
}

tideTest("a server that goes on with its own numbering is ok, and notes how far it is", async (database) => {
  const { sql } = database;
  assert.deepEqual(await check(sql), OK);
  await makeOutbox(sql);
  const [before] = await belongings(sql);
  assert.deepEqual(await check(sql), OK);
  const [after] = await belongings(sql);
  assert.ok(BigInt(after!["next_xid"]) > BigInt(before!["next_xid"]));
  assert.deepEqual({ ...after, next_xid: 0 }, { ...before, next_xid: 0 });
  // Also for a transaction whose own id is older than what others have saved meanwhile.
  const writer = database.connect();
  await writer`BEGIN`;
  await writer`SELECT pg_current_xact_id()`;
  await sql`SELECT tide.outbox_publish('orders', '1')`;
  await deliverAll(sql, "p");
  assert.deepEqual(await check(writer), OK);
  await writer`COMMIT`;
});

tideTest(
  "the check finds nothing foreign in what relays and publishers save at that moment",
  async (database) => {
    const { sql } = database;
    await makeOutbox(sql);
    let working = true;
    const work = [
      ...Array.from({ length: 4 }, async () => {
        const client = database.connect();
        while (working) await client`SELECT tide.outbox_publish('orders', '1')`;
      }),
      (async () => {
        const client = database.connect();
        for (let number = 10; working; number++) {
          const upper = await takeMark(client);
          await savePosition(client, "p", { number, upper, lastId: upper.topId });
        }
      })(),
    ];
    const checks = Array.from({ length: 3 }, async (_, holder) => {
      const client = database.connect();
      for (let i = 0; i < 60; i++) assert.deepEqual(await check(client, `relay ${holder}`), OK);
    });
    await Promise.all(checks).finally(() => working = false);
    await Promise.all(work);
  },
);

tideTest(
  "a position, a message or a note of a numbering that is ahead is foreign, and nothing moves",
  async ({ sql }) => {
    await makeOutbox(sql);
    await check(sql);
    const ahead = "1000000000000";
    const signs: [string, string, string][] = [
      [
        "the upper mark of a window",
        `UPDATE tide.window SET upper_snapshot = '${ahead}:${ahead}:'`,
        "tide.window",
      ],
      [
        "the next transaction of a window",
        `UPDATE tide.window SET upper_next_xid = '${ahead}'`,
        "tide.window",
      ],
      ["a message", `UPDATE tide.message_1 SET xid = '${ahead}' WHERE id = 2`, "tide.message_1"],
      ["what the server had reached", `UPDATE tide.cluster SET next_xid = '${ahead}'`, "tide.cluster"],
    ];
    for (const [what, statement, table] of signs) {
      await sql.unsafe(`CREATE TABLE kept AS SELECT * FROM ${table}`);
      await sql.unsafe(statement);
      const before = await belongings(sql);
      for (const adopt of [false, true]) {
        const { verdict, detail, moved } = await check(sql, "me", adopt);
        assert.equal(verdict, "foreign", what);
        assert.match(detail, /go up to transaction 100000000000[01], this server is at \d+$/);
        assert.deepEqual(moved, []);
      }
      assert.deepEqual([...await belongings(sql)], [...before], what);
      await sql.unsafe(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept; DROP TABLE kept`)
        .simple();
    }
    assert.deepEqual(await check(sql), OK);
  },
);

tideTest("ids go on behind all that are known, when a copy did not bring the sequence", async ({ sql }) => {
  await makeOutbox(sql);
  await check(sql);
  await sql`SELECT setval('tide.id_1', 1)`;
  assert.deepEqual(await check(sql), { ...OK, moved: ["orders"] });
  const [row] = await sql`SELECT tide.outbox_publish('orders', '1')::int AS id`;
  assert.equal(row!["id"], 1_000_004);
  assert.deepEqual(await check(sql), OK);
  await sql`UPDATE tide.window SET upper_top_id = 5000000`;
  assert.deepEqual(await check(sql), { ...OK, moved: ["orders"] });
  const [next] = await sql`SELECT tide.outbox_publish('orders', '1')::int AS id`;
  assert.equal(next!["id"], 6_000_001);
});

tideTest("another system or timeline with the same numbering is adopted, with new ids", async ({ sql }) => {
  await makeOutbox(sql);
  await check(sql);
  for (
    const [change, detail] of [
      ["system_identifier = 'another'", "identifier"],
      ["timeline = '00000009'", "timeline"],
      ["system_identifier = 'another', timeline = '00000009'", "identifier, timeline"],
    ] as const
  ) {
    const [before] = await belongings(sql);
    await sql.unsafe(`UPDATE tide.cluster SET ${change}`);
    assert.deepEqual(await check(sql), { verdict: "adopted", detail, moved: [] });
    const [after] = await belongings(sql);
    assert.notEqual(after!["incarnation"], before!["incarnation"]);
    assert.equal(Number(after!["last_value"]), Number(before!["last_value"]) + 1_000_000);
    assert.equal(after!["position"], before!["position"], "positions stay");
    assert.deepEqual(
      [after!["system_identifier"], after!["timeline"]],
      [before!["system_identifier"], before!["timeline"]],
    );
    assert.deepEqual(await check(sql), OK);
  }
});

tideTest(
  "a copy of a database whose other relays are registered delivers only when told to",
  async ({ sql }) => {
    await makeOutbox(sql);
    await check(sql);
    await sql`INSERT INTO tide.relay (holder, version) VALUES ('me', '1')`;
    await sql`UPDATE tide.cluster SET system_identifier = 'production'`;
    assert.equal((await check(sql)).verdict, "adopted", "nobody else is registered");
    await sql`INSERT INTO tide.relay (holder, version) VALUES ('other', '1')`;
    await sql`UPDATE tide.cluster SET system_identifier = 'production'`;
    const before = await belongings(sql);
    const { verdict, detail } = await check(sql);
    assert.equal(verdict, "clone");
    assert.match(detail, /made on system production and is now on \d+$/);
    assert.deepEqual([...await belongings(sql)], [...before]);
    assert.equal((await check(sql, "me", true)).verdict, "adopted");
    await sql`UPDATE tide.cluster SET timeline = '00000009'`;
    assert.equal((await check(sql)).verdict, "adopted", "a failover is no copy");
  },
);

tideTest("relays that check at once agree, and one of them adopts", async (database) => {
  const { sql } = database;
  await makeOutbox(sql);
  await check(sql);
  await sql`UPDATE tide.cluster SET timeline = '00000009'`;
  const verdicts = await Promise.all(
    Array.from(
      { length: 6 },
      async (_, holder) => (await check(database.connect(), `relay ${holder}`)).verdict,
    ),
  );
  assert.deepEqual(verdicts.sort(), ["adopted", "ok", "ok", "ok", "ok", "ok"]);
});

for (const version of POSTGRES_VERSIONS) {
  Deno.test(`a server that was promoted is adopted as another timeline (PostgreSQL ${version})`, async () => {
    await using server = await startPostgres({ version, durable: false });
    const sql = postgres(server.url(), { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(printInstall()).simple();
      await makeOutbox(sql);
      assert.deepEqual(await check(sql), OK);
      await server.demote();
      assert.equal((await check(sql)).verdict, "standby");
      const [promoted] = await sql`SELECT pg_promote() AS done`;
      assert.equal(promoted!["done"], true);
      assert.deepEqual(await check(sql), { verdict: "adopted", detail: "timeline", moved: [] });
      assert.deepEqual(await check(sql), OK);
    } finally {
      await sql.end();
    }
  });
}
