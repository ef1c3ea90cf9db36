/**
 * Rotation: what is delivered and old is emptied, nothing else ever, and nobody waits.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { connect } from "../../../src/pg/database.ts";
import { Published, Received } from "../../support/published.ts";
import { type TideDatabase, tideTest } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";
import { OutboxReader } from "./marking.ts";
import { deliverAll, savePosition, takeMark } from "./positions.ts";

/** An outbox that keeps messages for an hour, with pipelines. */
async function makeOutbox(sql: postgres.Sql, ...pipelines: string[]): Promise<void> {
  await sql`SELECT tide.outbox_create('orders', retention_hours => 1)`;
  for (const name of pipelines) {
    await sql`SELECT tide.relay_set_outbox(${name}, 'orders', ${name}, '{"sink_type": "stdout"}')`;
  }
}

/** Publish messages, as long ago as that. */
async function publish(sql: postgres.Sql, count: number, hoursAgo = 5): Promise<void> {
  await sql`SELECT tide.outbox_publish('orders', to_jsonb(n)) FROM generate_series(1, ${count}) n`;
  await sql`UPDATE tide.message_1 SET created_at = created_at - make_interval(hours => ${hoursAgo})
    WHERE created_at > clock_timestamp() - interval '1 minute'`;
}

/** What a rotation does to each slot, and where it moves the pointer. */
async function rotate(sql: postgres.Sql): Promise<{ slots: string[]; advancedTo: number | null }> {
  const [row] = await sql`SELECT tide.outbox_rotate('orders') AS done`;
  const [{ outbox, slots, advanced_to }] = row!["done"];
  assert.equal(outbox, "orders");
  return { slots: [0, 1, 2, 3].map((slot) => slots[slot]), advancedTo: advanced_to };
}

async function count(sql: postgres.Sql): Promise<number> {
  const [row] = await sql`SELECT count(*)::int AS count FROM tide.message_1`;
  return row!["count"];
}

tideTest("what is delivered and past retention is emptied, in an idle outbox too", async ({ sql }) => {
  await makeOutbox(sql, "p");
  await publish(sql, 3, 0);
  await deliverAll(sql, "p");
  assert.deepEqual(await rotate(sql), { slots: ["current", "empty", "empty", "empty"], advancedTo: null });
  await sql`UPDATE tide.message_1 SET created_at = created_at - interval '59 minutes'`;
  assert.equal((await rotate(sql)).advancedTo, null, "a slot is written to for an hour at least");
  await sql`UPDATE tide.message_1 SET created_at = created_at - interval '2 minutes'`;
  assert.deepEqual(await rotate(sql), { slots: ["current", "empty", "empty", "empty"], advancedTo: 1 });
  await sql`SELECT tide.outbox_publish('orders', '"in the next slot"')`;
  assert.deepEqual(await rotate(sql), {
    slots: ["truncated", "current", "empty", "empty"],
    advancedTo: null,
  });
  assert.deepEqual([...await sql`SELECT slot, payload FROM tide.message_1`], [{
    slot: 1,
    payload: '"in the next slot"',
  }]);
});

tideTest("without pipelines an outbox keeps messages for their retention", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders', retention_hours => 48)`;
  await publish(sql, 1, 47);
  assert.equal((await rotate(sql)).advancedTo, 1);
  assert.deepEqual((await rotate(sql)).slots, ["retention", "current", "empty", "empty"]);
  await sql`UPDATE tide.message_1 SET created_at = created_at - interval '2 hours'`;
  assert.deepEqual((await rotate(sql)).slots, ["truncated", "current", "empty", "empty"]);
});

tideTest("nothing that a pipeline has not delivered is emptied", async (database) => {
  const { sql } = database;
  await makeOutbox(sql, "p", "q");
  const straggler = database.connect();
  await straggler`BEGIN`;
  await straggler`SELECT tide.outbox_publish('orders', '"straggler"')`;
  await publish(sql, 5);
  const first = await takeMark(sql);
  const kept = async (why: string) => {
    assert.equal((await rotate(sql)).slots[0], "undelivered", why);
    assert.equal(await count(sql), 6, why);
  };
  await straggler`COMMIT`;
  await sql`UPDATE tide.message_1 SET created_at = clock_timestamp() - interval '5 hours'`;
  const second = await takeMark(sql);
  assert.equal((await rotate(sql)).advancedTo, 1);

  await kept("new pipelines have delivered nothing");
  await savePosition(sql, "p", { upper: first, lastId: 5 });
  await deliverAll(sql, "q");
  await kept("one message of the run is left");
  await savePosition(sql, "p", { upper: first, lastId: 6 });
  await kept("a transaction that was open at the upper mark has committed since");
  await savePosition(sql, "p", { number: 2, lower: first, upper: second, phase: "stragglers", lastId: 0 });
  await kept("the straggler of the next window is left");
  await savePosition(sql, "p", { number: 2, lower: first, upper: second, phase: "stragglers", lastId: 1 });
  await sql`SELECT tide.relay_set_outbox('r', 'orders', 'r', '{"sink_type": "stdout"}')`;
  await kept("a new pipeline starts at the oldest message");
  await deliverAll(sql, "r");
  await sql`SELECT tide.relay_enable('r'), tide.relay_disable('r')`;
  await sql`DELETE FROM tide.position_log WHERE pipeline = 'r'`;
  await kept("a disabled pipeline goes on some day");
  await sql`SELECT tide.relay_delete('r')`;
  // The last window ended among its stragglers: nothing more comes in an idle outbox, and all is delivered.
  assert.equal((await rotate(sql)).slots[0], "truncated");
  assert.equal(await count(sql), 0);
});

tideTest("a transaction open since long ago keeps no slot that holds nothing of it", async (database) => {
  const { sql } = database;
  await makeOutbox(sql, "p");
  const report = database.connect();
  await report`BEGIN`;
  await report`SELECT pg_current_xact_id()`;
  await publish(sql, 5);
  await rotate(sql);
  await deliverAll(sql, "p");
  assert.equal((await rotate(sql)).slots[0], "truncated");
});

tideTest("with all four slots full the current one grows, and publishing goes on", async ({ sql }) => {
  await makeOutbox(sql, "slow");
  for (const slot of [0, 1, 2, 3]) {
    await publish(sql, 2);
    const { advancedTo } = await rotate(sql);
    assert.equal(advancedTo, slot === 3 ? null : slot + 1);
  }
  assert.deepEqual(await rotate(sql), {
    slots: ["undelivered", "undelivered", "undelivered", "current"],
    advancedTo: null,
  });
  await publish(sql, 2);
  const slots = await sql`SELECT slot, count(*)::int FROM tide.message_1 GROUP BY slot ORDER BY slot`;
  assert.deepEqual(slots.map(({ count }) => count), [2, 2, 2, 4]);
  const [row] = await sql`SELECT tide.outbox_status('orders') AS status`;
  const { rotation_due_since, waits_for } = row!["status"];
  assert.deepEqual(waits_for, { pipelines: ["slow"], sessions: [] });
  assert.ok(Date.now() - Date.parse(rotation_due_since) > 3_600_000, "since its retention was over");

  await deliverAll(sql, "slow");
  assert.deepEqual(await rotate(sql), {
    slots: ["truncated", "truncated", "truncated", "current"],
    advancedTo: null,
  });
  assert.equal((await rotate(sql)).advancedTo, 0);
  assert.equal((await rotate(sql)).slots[3], "truncated");
  assert.equal(await count(sql), 0);
});

tideTest(
  "rotation refuses an isolation that would hide what was committed while it waited",
  async (database) => {
    const sql = database.connect();
    await makeOutbox(sql);
    for (const isolation of ["REPEATABLE READ", "SERIALIZABLE"]) {
      await sql.unsafe(`BEGIN ISOLATION LEVEL ${isolation}`);
      await assert.rejects(sql`SELECT tide.outbox_rotate()`, { code: "TD040", hint: /READ COMMITTED/ });
      await sql`ROLLBACK`;
    }
  },
);

tideTest("a slot in use is left for later, and nobody waits meanwhile", async (database) => {
  const { sql } = database;
  await makeOutbox(sql, "p");
  await publish(sql, 3);
  await deliverAll(sql, "p");
  const holders: [
    string,
    (holder: postgres.Sql) => Promise<unknown>,
    (holder: postgres.Sql) => Promise<unknown>,
  ][] = [
    ["a reader", (holder) => holder`SELECT count(*) FROM tide.message_1`, (holder) => holder`COMMIT`],
    [
      "a publisher",
      (holder) => holder`SELECT tide.outbox_publish('orders', '1')`,
      (holder) => holder`ROLLBACK`,
    ],
    [
      "a prepared publisher",
      async (holder) => {
        await holder`SELECT tide.outbox_publish('orders', '1')`;
        await holder.unsafe(`PREPARE TRANSACTION '${database.name}'`);
      },
      (holder) => holder.unsafe(`ROLLBACK PREPARED '${database.name}'`),
    ],
  ];
  const bystander = database.connect();
  await bystander`SET lock_timeout = '20ms'`;
  for (const [what, hold, letGo] of holders) {
    const holder = database.connect();
    const [backend] = await holder`SELECT pg_backend_pid() AS pid`;
    await sql`SELECT setval('tide.slot_1', 0)`;
    await holder`BEGIN`;
    await hold(holder);
    await sql`SELECT setval('tide.slot_1', 1)`;
    assert.equal((await rotate(sql)).slots[0], "held", what);
    const [row] = await sql`SELECT tide.outbox_status('orders') AS status`;
    const pid = what === "a prepared publisher" ? 0 : backend!["pid"];
    assert.deepEqual(row!["status"].waits_for, { pipelines: [], sessions: [pid] }, what);
    // Neither readers nor publishers, not even one with an old pointer, find a queue.
    let rotating = true;
    const rotations = (async () => {
      const done = new Set<string>();
      while (rotating) done.add((await rotate(sql)).slots[0]!);
      return [...done];
    })();
    for (let i = 0; i < 30; i++) {
      await bystander`SELECT count(*) FROM tide.message_1`;
      await bystander`SELECT tide.outbox_publish('orders', '1')`;
      await bystander.unsafe(`BEGIN; INSERT INTO tide.message_1_0 SELECT * FROM tide.message_1_0; ROLLBACK`)
        .simple();
    }
    rotating = false;
    assert.deepEqual(await rotations, ["held"], what);
    await letGo(holder);
  }
  assert.equal((await rotate(sql)).slots[0], "truncated");
});

tideTest("rotation passes over an outbox whose pipelines are being changed", async (database) => {
  const { sql } = database;
  await makeOutbox(sql, "p");
  const changing = database.connect();
  for (
    const change of [
      `SELECT tide.relay_set_outbox('q', 'orders', 'q', '{"sink_type": "stdout"}')`,
      `SELECT tide.relay_delete('p')`,
      `SELECT tide.relay_enable('p')`,
    ]
  ) {
    await changing`BEGIN`;
    await changing.unsafe(change);
    const [row] = await sql`SELECT tide.outbox_rotate() AS done`;
    assert.equal(row!["done"][0].busy, true, change);
    await changing`ROLLBACK`;
  }
  assert.equal((await rotate(sql)).slots[0], "current");
});

tideTest("rotation in a loop takes nothing from publishers and readers at work", async (database) => {
  await makeOutbox(database.sql, "p");
  const { received, truncated } = await readWhileRotating(database);
  assert.deepEqual(received.problems().slice(0, 10), []);
  assert.ok(truncated > 5, `slots must have been emptied meanwhile, and ${truncated} were`);
});

tideTest("a rotation that asked no pipeline would lose messages in that loop", async (database) => {
  await makeOutbox(database.sql, "p");
  await database.sql.unsafe(
    `CREATE OR REPLACE FUNCTION tide.undelivered_pipelines(p_number integer, p_slot integer)
    RETURNS text[] LANGUAGE sql AS $$ SELECT '{}'::text[] $$`,
  );
  const { received } = await readWhileRotating(database);
  assert.ok(received.lost().length > 0);
});

/** Publish, read and rotate at once, until what was published is read, or nothing more comes. */
async function readWhileRotating(database: TideDatabase): Promise<{ received: Received; truncated: number }> {
  const { sql } = database;
  // Every message is as old as it must be, at once.
  await sql.unsafe(`
    CREATE FUNCTION backdate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      new.created_at := new.created_at - interval '9 hours'; RETURN new; END $$;
    CREATE TRIGGER backdate BEFORE INSERT ON tide.message_1 FOR EACH ROW EXECUTE FUNCTION backdate()`)
    .simple();
  const published = new Published();
  const received = new Received(published);
  const db = await connect({ url: database.url, maxConnections: 2 });
  try {
    const [life] = await sql<{ life: string }[]>`SELECT tide.begin_life() AS life`;
    const reader = new OutboxReader(db, life!.life, received, {
      onPage: ({ window: { number, lower, upper }, phase, lastId }) =>
        savePosition(sql, "p", { number, lower, upper, phase, lastId }),
    });
    const truncated = await rotateWhile(database, () => publishFor(database, published, 1_500));
    const marks = reader.marks;
    await waitUntil(() => reader.marks >= marks + 3, { what: "everything to be read" });
    await reader.stop();
    return { received, truncated };
  } finally {
    await db.close();
  }
}

/** Eight connections publish, one message or a few in a transaction, and hold some of them open. */
async function publishFor(database: TideDatabase, published: Published, transactions: number): Promise<void> {
  let left = transactions;
  await Promise.all(Array.from({ length: 8 }, async (_, place) => {
    const sql = database.connect();
    while (left-- > 0) {
      const messages: number[] = [];
      await sql`BEGIN`;
      for (let i = 0; i <= left % 3; i++) {
        const message = published.start();
        await sql`SELECT tide.outbox_publish('orders', to_jsonb(${message}::int))`;
        messages.push(message);
      }
      if (left % 20 === place) await new Promise((resolve) => setTimeout(resolve, 100));
      await sql`COMMIT`;
      published.commit(messages);
    }
  }));
}

/** Rotate on two connections as long as something goes on; returns how many slots were emptied. */
async function rotateWhile(database: TideDatabase, work: () => Promise<void>): Promise<number> {
  let working = true;
  let truncated = 0;
  const rotations = Array.from({ length: 2 }, async () => {
    const sql = database.connect();
    while (working) {
      const [row] = await sql`SELECT tide.outbox_rotate() AS done`;
      const slots = Object.values(row!["done"][0].slots ?? {});
      truncated += slots.filter((what) => what === "truncated").length;
    }
  });
  await work();
  working = false;
  await Promise.all(rotations);
  return truncated;
}

tideTest(
  "an outbox is dropped while a publisher is in the middle of it, and its name is free at once",
  async (database) => {
    const { sql } = database;
    await makeOutbox(sql);
    const [publisher, dropper] = [database.connect(), database.connect()];
    await dropper`SET lock_timeout = '100ms'`;
    await publisher`BEGIN`;
    await publisher`SELECT tide.outbox_publish('orders', '1')`;
    await dropper`SELECT tide.outbox_drop('orders')`;
    await assert.rejects(sql`SELECT tide.outbox_publish('orders', '1')`, { code: "TD001" });
    await sql`SELECT tide.outbox_create('orders')`;
    await sql`SELECT tide.outbox_publish('orders', '"other"')`;
    const rotateAll = async () => (await sql`SELECT tide.outbox_rotate() AS done`)[0]!["done"];
    assert.deepEqual((await rotateAll())[0], { removed: false });
    await publisher`COMMIT`;
    const [removed, other, ...more] = await rotateAll();
    assert.deepEqual(removed, { removed: true });
    assert.equal(other.outbox, "orders");
    assert.deepEqual(more, []);
    const left =
      await sql`SELECT relname FROM pg_class WHERE relnamespace = 'tide'::regnamespace AND relname ~ '^(message|id|slot|wait)_1(_|$)'`;
    assert.deepEqual([...left], []);
    assert.deepEqual([...await sql`SELECT payload FROM tide.message_2`], [{ payload: '"other"' }]);
  },
);
