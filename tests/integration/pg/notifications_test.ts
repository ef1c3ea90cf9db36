/**
 * LISTEN on real servers, and again after every loss.
 */

import assert from "node:assert/strict";
import { connect, type Database } from "../../../src/pg/database.ts";
import type { NotificationChannel } from "../../../src/pg/notifications.ts";
import { sharedPostgres, startPostgres } from "../../support/postgres.ts";
import { type TideDatabase, tideDatabase } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";

/** A test with a database of its own, on one version: these are about connections. */
function databaseTest(title: string, body: (database: TideDatabase) => Promise<void>): void {
  Deno.test(title, async () => {
    await using database = await tideDatabase(await sharedPostgres(18));
    await body(database);
  });
}

const NEVER = new AbortController().signal;

/** Wait until the channel listens: what it may have missed before counts as a notification. */
async function listening(channel: NotificationChannel): Promise<void> {
  await waitUntil(() => channel.count > 0, { what: "LISTEN" });
}

/** Whether a notification arrives, and arrives once. */
async function hears(database: TideDatabase, name: string, channel: NotificationChannel): Promise<void> {
  const seen = channel.count;
  const startedMs = performance.now();
  const waiting = channel.wait(seen, 30_000, NEVER);
  await database.sql`SELECT pg_notify(${name}, '')`;
  await waiting;
  assert.ok(performance.now() - startedMs < 20_000, `no notification on ${name}`);
  assert.equal(channel.count, seen + 1);
}

const listeners = async (database: TideDatabase) =>
  (await database.sql<{ pid: number }[]>`
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'pg-tide' AND query LIKE 'LISTEN%'`).map((
    { pid },
  ) => pid);

async function withDatabase(database: TideDatabase, body: (db: Database) => Promise<void>): Promise<void> {
  const db = await connect({ url: database.url });
  try {
    await body(db);
  } finally {
    await db.close();
  }
}

databaseTest(
  "Database.channel() hears its own channel, each on one connection",
  (database) =>
    withDatabase(database, async (db) => {
      const [a, b] = [db.channel("tide_1"), db.channel("tide_2")];
      assert.equal(db.channel("tide_1"), a);
      await Promise.all([a, b].map(listening));
      await hears(database, "tide_1", a);
      const before = b.count;
      await hears(database, "tide_1", a);
      assert.equal(b.count, before);
      await hears(database, "tide_2", b);
      assert.equal((await listeners(database)).length, 1);
    }),
);

databaseTest(
  "Database.channel() listens again when its connection was ended, and wakes who waits",
  (database) =>
    withDatabase(database, async (db) => {
      const channels = [db.channel("tide_1"), db.channel("tide_2")] as const;
      await Promise.all(channels.map(listening));
      for (let round = 0; round < 3; round++) {
        const counts = channels.map(({ count }) => count);
        const [pid] = await listeners(database);
        const woken = Promise.all(channels.map((channel, i) => channel.wait(counts[i]!, 30_000, NEVER)));
        const startedMs = performance.now();
        await database.sql`SELECT pg_terminate_backend(${pid!})`;
        await woken;
        assert.ok(performance.now() - startedMs < 20_000, "notifications may have been missed");
        await hears(database, "tide_1", channels[0]);
        await hears(database, "tide_2", channels[1]);
      }
    }),
);

databaseTest(
  "Database.close() ends the connection that listens, also one that is being ended",
  async (database) => {
    const db = await connect({ url: database.url });
    const channel = db.channel("tide_1");
    await listening(channel);
    const [pid] = await listeners(database);
    await database.sql`SELECT pg_terminate_backend(${pid!})`;
    await db.close();
    await waitUntil(async () => (await listeners(database)).length === 0, { what: "the connection to end" });
    // A channel of a closed database is silent, and no error.
    await channel.wait(channel.count, 10, NEVER);
  },
);

Deno.test("Database.channel() listens again after the server was away", async () => {
  await using server = await startPostgres({ version: 18 });
  await using database = await tideDatabase(server);
  await withDatabase(database, async (db) => {
    const channel = db.channel("tide_1");
    await listening(channel);
    await server.restart();
    const seen = channel.count;
    await waitUntil(() => channel.count > seen, { what: "LISTEN" });
    await hears(database, "tide_1", channel);

    await server.kill();
    // Long enough for several attempts to fail.
    await channel.wait(channel.count, 1_500, NEVER);
    const before = channel.count;
    await server.start();
    await waitUntil(() => channel.count > before, { what: "LISTEN" });
    await hears(database, "tide_1", channel);
  });
});
