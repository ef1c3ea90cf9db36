/**
 * The database goes away while a relay is at work: restarted, crashed, cut off, silent.
 */

import assert from "node:assert/strict";
import { CutProxy } from "../../support/cut_proxy.ts";
import { sharedPostgres, startPostgres } from "../../support/postgres.ts";
import { addPipeline, allPrinted, printedBy, Publishers, startRelay } from "../../support/printing_relays.ts";
import { tideDatabase } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";

const ENDS = { 14: ["kill"], 18: ["restart", "kill", "kill", "restart"] } as const;

for (const version of [14, 18] as const) {
  Deno.test(`a relay outlives restarts and crashes of PostgreSQL ${version} under load, and loses nothing`, async () => {
    await using server = await startPostgres({ version });
    await using database = await tideDatabase(server);
    await addPipeline(database, "a");
    // Rows that a crash takes back have been read by then: their ids come again.
    await database.sql.unsafe(`ALTER DATABASE ${database.name} SET synchronous_commit = off`);
    await using relay = await startRelay(database.url);
    await using publishers = await Publishers.start(database, "a");
    for (const end of ENDS[version]) {
      await publishers.more(20);
      await server[end]();
      await server.start();
    }
    await publishers.more(50);
    await publishers.stop();
    await allNewestPrinted();
    assert.equal(await relay.stop(), 0);

    /**
     * An id that a crash took back may have been printed for another message; what counts is that every number that is
     * committed was printed.
     */
    async function allNewestPrinted(): Promise<void> {
      const committed = await database.sql<{ key: string; n: number }[]>`
        SELECT dedup_key AS key, (payload::jsonb ->> 'n')::integer AS n FROM tide.message_1`;
      const wanted = committed.map(({ key, n }) => `${key} ${n}`);
      await waitUntil(async () => {
        const printed = new Set((await printedBy(relay, "a")).map(({ key, value }) => `${key} ${value.n}`));
        return wanted.every((message) => printed.has(message));
      }, { what: `${wanted.length} messages to be printed`, timeoutMs: 60_000, intervalMs: 200 });
    }
  });
}

Deno.test("a relay whose connections are ended again and again loses nothing and reorders nothing", async () => {
  await using database = await tideDatabase(await sharedPostgres(18));
  await addPipeline(database, "a");
  await addPipeline(database, "b");
  await using relay = await startRelay(database.url);
  await using a = await Publishers.start(database, "a", 2);
  await using b = await Publishers.start(database, "b", 2);
  for (let round = 0; round < 12; round++) {
    await a.more(5);
    // One connection, or all of them.
    await database.sql`
      SELECT pg_terminate_backend(pid) FROM (
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'pg-tide %' ORDER BY random()
        LIMIT ${round % 3 === 0 ? 100 : 1}) chosen`;
  }
  await Promise.all([a.stop(), b.stop()]);
  await allPrinted(database, "a", [relay]);
  await allPrinted(database, "b", [relay]);
  assert.equal(await relay.exitCode(), undefined);
  assert.equal(await relay.stop(), 0);
  const failures = (await relay.log()).split("\n").filter((line) => / ERROR | rejection/i.test(line));
  assert.deepEqual(failures, []);
});

Deno.test("a relay whose line is cut, and then silent, goes on when it is back; and ends although it is silent", async () => {
  await using database = await tideDatabase(await sharedPostgres(18));
  await addPipeline(database, "a");
  await using line = await CutProxy.to(Number(new URL(database.url).port));
  const url = new URL(database.url);
  url.port = String(line.port);
  await using relay = await startRelay(url.href, ["--drain-timeout-ms", "1000"]);
  await using publishers = await Publishers.start(database, "a");
  await publishers.more(20);
  line.cut();
  await publishers.more(20);
  line.mode = "refuse";
  await publishers.more(20);
  line.mode = "forward";
  await publishers.more(20);
  line.mode = "hang";
  // Longer than the lease: the relay knows that another one may have taken it.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  line.mode = "forward";
  await publishers.more(20);
  await publishers.stop();
  await allPrinted(database, "a", [relay]);

  line.mode = "hang";
  const startedMs = performance.now();
  await relay.signal("SIGTERM");
  assert.equal(await relay.ended(), 0);
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 20_000, `${Math.round(tookMs)} ms to end, of which 1,000 to drain`);
});
