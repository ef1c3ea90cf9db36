/**
 * Reading by windows while others publish: nothing lost, nothing twice, nothing that rolled back, in the promised order. And the two
 * mistakes that must show here.
 */

import { strict as assert } from "node:assert";
import { connect, type Database } from "../../../src/pg/database.ts";
import type { Mark } from "../../../src/record/position.ts";
import { sharedPostgres, startPostgres } from "../../support/postgres.ts";
import { Published, Received } from "../../support/published.ts";
import { POSTGRES_VERSIONS, type TideDatabase, tideDatabase, tideTest } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";
import { EXACT_MARK, marksInPairs, marksWithoutNextXid, OutboxReader } from "./marking.ts";
import { takeMark } from "./positions.ts";
import { Publisher, WORKLOAD_SETUP } from "./publishers.ts";

/** Together 100,000 messages on the two servers. */
const MESSAGES = Deno.env.get("TIDE_TEST_TIER") === "full" ? 250_000 : 50_000;
const PUBLISHERS = 24;

for (const version of POSTGRES_VERSIONS) {
  Deno.test(`${MESSAGES} messages of ${PUBLISHERS} publishers are read once and in order (PostgreSQL ${version})`, async () => {
    await using database = await tideDatabase(await sharedPostgres(version));
    await database.sql.unsafe(WORKLOAD_SETUP).simple();
    const db = await connect({ url: database.url, maxConnections: 6 });
    try {
      await workload(database, db);
    } finally {
      await db.close();
    }
  });
}

async function workload(database: TideDatabase, db: Database): Promise<void> {
  const published = new Published();
  const [life] = await database.sql<{ life: string }[]>`SELECT tide.begin_life() AS life`;
  const received = new Received(published);
  const withoutNextXid = new Received(published);
  const inPairs = new Received(published);
  const reader = new OutboxReader(db, life!.life, received);
  const canaries = [
    new OutboxReader(db, life!.life, withoutNextXid, { marking: marksWithoutNextXid(database.connect()) }),
    new OutboxReader(db, life!.life, inPairs, { marking: marksInPairs(database.connect()) }),
  ];

  const open = await openTransaction(database, published);
  const publishing = new AbortController();
  const disturbing = disturb(database, reader, publishing.signal);
  await Promise.all(Array.from({ length: PUBLISHERS }, async (_, seed) => {
    const publisher = new Publisher(database, published, seed + 1);
    while (published.committed < MESSAGES) await publisher.transaction();
  }));
  publishing.abort();
  await disturbing;
  // One transaction is still open: it holds back nothing but its own messages.
  await waitUntil(() => received.count === published.committed, {
    what: "all but the open transaction",
    timeoutMs: 60_000,
  })
    .catch((error) => assert.fail(`${error.message}: ${received.lost().length} are missing`));
  await open.commit();
  await waitUntil(() => received.count === published.committed, {
    what: "the transaction that was open all the time",
  });
  const marks = canaries.map((canary) => canary.marks);
  await waitUntil(() => canaries.every((canary, i) => canary.marks >= marks[i]! + 3), {
    what: "the canaries",
  });
  await Promise.all([reader, ...canaries].map((one) => one.stop()));

  assert.deepEqual(received.problems().slice(0, 10), []);
  assert.ok(withoutNextXid.lost().length > 0, "marks without next_xid must lose something");
  assert.ok(inPairs.lost().length > 0, "two marks in one transaction must lose something");
}

/** A transaction that is open from before the first message to after the last. */
async function openTransaction(database: TideDatabase, published: Published) {
  const sql = database.connect();
  const messages: number[] = [];
  const publish = async () => {
    const message = published.start();
    await sql`SELECT tide.outbox_publish('orders', to_jsonb(${message}::int))`;
    messages.push(message);
  };
  await sql`BEGIN`;
  await publish();
  return {
    async commit() {
      await publish();
      await sql`COMMIT`;
      published.commit(messages);
    },
  };
}

/** Move the slot that is written to, and restart the reader, again and again. */
async function disturb({ sql }: TideDatabase, reader: OutboxReader, signal: AbortSignal): Promise<void> {
  for (let round = 1; !signal.aborted; round++) {
    await sql`SELECT setval('tide.slot_1', ${Math.floor(4 * Math.random())})`;
    await new Promise((resolve) => setTimeout(resolve, 40));
    if (round % 25 === 0) await reader.restart();
  }
}

/** On a server where nothing else happens: another transaction's end would hide the mistake. */
async function onQuietServer(
  version: (typeof POSTGRES_VERSIONS)[number],
  body: (database: TideDatabase) => Promise<void>,
) {
  await using server = await startPostgres({ version, durable: false, settings: { autovacuum: "off" } });
  await using database = await tideDatabase(server);
  await database.sql`SELECT tide.outbox_create('orders')`;
  await body(database);
}

/** What reading between two marks finds. */
async function readBetween({ sql }: TideDatabase, lower: Mark, upper: Mark): Promise<number[]> {
  const pages = await sql`
    SELECT ids FROM tide.read_stragglers_1(${lower.snapshot}, ${upper.snapshot}, ${lower.topId}, ${lower.nextXid}, 0, 10, 1000)
    UNION ALL SELECT ids FROM tide.read_run_1(${lower.snapshot}, ${upper.snapshot}, ${lower.topId}, ${upper.topId}, 10, 1000)`;
  return pages.flatMap(({ ids }) => ids === null ? [] : ids.split(",").map(Number));
}

for (const version of POSTGRES_VERSIONS) {
  Deno.test(`a mark finds the newest open transaction, which its snapshot does not name (PostgreSQL ${version})`, () =>
    onQuietServer(version, async (database) => {
      const publisher = database.connect();
      await publisher`BEGIN`;
      await publisher`SELECT tide.outbox_publish('orders', '1')`;
      const lower = await takeMark(database.sql);
      const canary = await marksWithoutNextXid(database.sql)();
      assert.equal(canary.snapshot, lower.snapshot);
      assert.match(lower.snapshot, /^(\d+):\1:$/, "the snapshot lists no open transaction");
      await publisher`COMMIT`;
      const upper = await takeMark(database.sql);
      assert.deepEqual(await readBetween(database, lower, upper), [1]);
      assert.deepEqual(await readBetween(database, canary, upper), [], "the canary must lose it");
    }));

  Deno.test(`a second mark in a transaction, or one behind a write, would lose messages (PostgreSQL ${version})`, () =>
    onQuietServer(version, async (database) => {
      for (const earlier of [EXACT_MARK, "SELECT pg_current_xact_id()"]) {
        const [publisher, reader] = [database.connect(), database.connect()];
        await reader`BEGIN`;
        await reader.unsafe(earlier);
        await publisher`BEGIN`;
        const [message] = await publisher`SELECT tide.outbox_publish('orders', '1')::int AS id`;
        const canary = await takeMark(reader, EXACT_MARK);
        const lower = await takeMark(database.sql);
        assert.deepEqual(
          { ...canary, nextXid: lower.nextXid },
          lower,
          "only the next transaction id differs",
        );
        await publisher`COMMIT`;
        const upper = await takeMark(database.sql);
        await reader`COMMIT`;
        assert.deepEqual(await readBetween(database, lower, upper), [message!["id"]]);
        assert.deepEqual(
          await readBetween(database, canary, upper),
          [],
          `behind ${earlier} the canary must lose it`,
        );
      }
    }));
}

tideTest("tide.mark() refuses a transaction that is not its own", async (database) => {
  const sql = database.connect();
  await sql`SELECT tide.outbox_create('orders')`;
  const expected = { code: "TD030", message: /expected a transaction of its own/, hint: /tide\.mark alone/ };
  for (const isolation of ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]) {
    for (
      const earlier of [
        "SELECT tide.mark(1)",
        "SELECT pg_current_xact_id()",
        "SELECT tide.outbox_publish('orders', '1')",
      ]
    ) {
      await sql.unsafe(`BEGIN ISOLATION LEVEL ${isolation}`);
      await sql.unsafe(earlier);
      await assert.rejects(sql`SELECT tide.mark(1)`, expected, `${isolation}: ${earlier}`);
      await sql`ROLLBACK`;
    }
    await sql.unsafe(`BEGIN ISOLATION LEVEL ${isolation}`);
    await sql`SELECT tide.mark(1)`;
    await sql`COMMIT`;
  }
  await sql`SELECT tide.mark(1)`;
  await sql`SELECT tide.mark(1)`;
  await assert.rejects(sql`SELECT tide.mark(1), tide.mark(1)`, expected);
});

tideTest(
  "a mark before the first message starts at 0, and later ones count what was rolled back",
  async (database) => {
    const sql = database.connect();
    await sql`SELECT tide.outbox_create('orders')`;
    assert.equal((await takeMark(sql)).topId, 0);
    await sql`SELECT tide.outbox_publish('orders', '1')`;
    assert.equal((await takeMark(sql)).topId, 1);
    await sql.unsafe("BEGIN; SELECT tide.outbox_publish('orders', '1'); ROLLBACK").simple();
    const { topId, snapshot, nextXid } = await takeMark(sql);
    assert.equal(topId, 2);
    assert.ok(BigInt(nextXid) >= BigInt(snapshot.split(":")[1]!));
  },
);
