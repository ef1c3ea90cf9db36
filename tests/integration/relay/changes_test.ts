/**
 * Pipelines change while a relay runs.
 */

import assert from "node:assert/strict";
import { sharedPostgres } from "../../support/postgres.ts";
import {
  addPipeline,
  allPrinted,
  configure,
  printedBy,
  Publishers,
  startRelay,
  statusOf,
} from "../../support/printing_relays.ts";
import type { RelayProcess } from "../../support/relay_process.ts";
import { type TideDatabase, tideDatabase } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";

/** A change takes effect within a second; the machine may be busy. */
const SOON_MS = 15_000;

/** The database for a role that has a relay's rights and no others. */
async function relayUrl(database: TideDatabase): Promise<string> {
  const role = await database.createRole();
  await database.sql`SELECT tide.grant_relay(${role.name})`;
  return role.url;
}

/** Wait until a relay prints something new under a topic. */
async function printsMore(relay: RelayProcess, topic: string): Promise<void> {
  const before = (await printedBy(relay, topic)).length;
  await waitUntil(async () => (await printedBy(relay, topic)).length > before, {
    what: `something new under ${topic}`,
    timeoutMs: SOON_MS,
  });
}

/** Wait until a relay prints nothing any more under a topic, although something is published all the time. */
async function fallsSilent(relay: RelayProcess, topic: string): Promise<void> {
  let before = -1;
  await waitUntil(async () => {
    const now = (await printedBy(relay, topic)).length;
    const silent = now === before;
    before = now;
    return silent;
  }, { what: `${topic} to fall silent`, timeoutMs: SOON_MS, intervalMs: 500 });
}

Deno.test("pipelines are enabled, disabled, changed, created and deleted under load, and lose, repeat and reorder nothing", async () => {
  await using database = await tideDatabase(await sharedPostgres(18));
  for (const name of ["a", "b"]) await addPipeline(database, name);
  await database.sql`SELECT tide.relay_disable('b')`;
  const url = await relayUrl(database);
  await using relay = await startRelay(url, ["--log-level", "debug"]);
  await using a = await Publishers.start(database, "a", 2);
  await using b = await Publishers.start(database, "b", 2);
  await printsMore(relay, "a");
  assert.deepEqual(await printedBy(relay, "b"), [], "disabled");

  await database.sql`SELECT tide.relay_enable('b')`;
  await printsMore(relay, "b");
  await database.sql`SELECT tide.relay_disable('b')`;
  await fallsSilent(relay, "b");

  await configure(database, "a", { topic: "changed" });
  await printsMore(relay, "changed");
  await fallsSilent(relay, "a");

  await addPipeline(database, "c");
  await using c = await Publishers.start(database, "c", 2);
  await printsMore(relay, "c");
  await c.stop();
  assert.equal(await allPrinted(database, "c", [relay]), 0);
  // Deleted and made again in one transaction: it starts anew, with another configuration of the same revision.
  await database.sql.begin(async (sql) => {
    await sql`SELECT tide.relay_delete('c')`;
    await sql`SELECT tide.relay_set_outbox('c', 'c', 'g', '{"sink_type": "stdout", "topic": "again"}'::jsonb)`;
    await sql`SELECT tide.relay_enable('c')`;
  });
  assert.equal(await allPrinted(database, "c", [relay], ["again"]), 0);
  await database.sql`SELECT tide.relay_delete('c')`;

  await database.sql`SELECT tide.relay_enable('b')`;
  await printsMore(relay, "b");
  await Promise.all([a.stop(), b.stop()]);
  assert.equal(await allPrinted(database, "a", [relay], ["a", "changed"]), 0);
  assert.equal(await allPrinted(database, "b", [relay]), 0);

  const states = await waitUntil(async () => {
    const pipelines = await statusOf(url);
    return [...pipelines.values()].every(({ state }) => state === "idle") && pipelines;
  }, { what: "all pipelines to be idle" });
  assert.deepEqual([...states.keys()], ["a", "b"]);

  assert.equal(await relay.stop(), 0);
  assert.match(await relay.log(), /Stopping: finishing what is in flight signal=SIGTERM/);
  const failures = (await relay.log()).split("\n").filter((line) => / (WARN|ERROR) |Cannot /.test(line));
  // Its rights are enough for everything; and one pipeline was taken away from under it.
  assert.deepEqual(failures.filter((line) => !/Lease lost: .*pipeline=c$/.test(line)), []);
  // All of it was saved: the next relay prints nothing of it again.
  await using next = await startRelay(url);
  await database.sql`SELECT tide.outbox_publish('a', '{"n": 1000000}', 'last')`;
  await waitUntil(async () => (await printedBy(next, "changed")).length > 0, { what: "the last message" });
  assert.equal((await printedBy(next, "changed")).length, 1);
  assert.deepEqual(await printedBy(next, "b"), []);
});

/** Configurations that the database cannot tell from good ones, and what their pipelines are blocked by. */
const BROKEN: Readonly<Record<string, readonly [Record<string, unknown>, RegExp]>> = {
  "undefined-variable": [{ headers: { h: "${env:TIDE_SECRET_MISSING}" } }, /TIDE_SECRET_MISSING/],
  "forbidden-variable": [{ headers: { h: "${env:PGPASSWORD}" } }, /PGPASSWORD/],
  "bad-jmespath": [{ transform: { filter: "total > > `1`" } }, /transform\.filter/],
  "unknown-template": [{ topic: "orders.{nonsense}" }, /nonsense/],
  "unknown-sink": [{ sink_type: "kafak" }, /kafak/],
};

Deno.test("a pipeline with a broken configuration is blocked with advice, the others go on, and so does it once corrected", async () => {
  await using database = await tideDatabase(await sharedPostgres(14));
  await addPipeline(database, "good");
  for (const [name, [change]] of Object.entries(BROKEN)) {
    await addPipeline(database, name);
    // Past the checks of `relay_set_outbox`, as an older version or a hand may leave it.
    await database.sql`
      UPDATE tide.pipeline SET config = config || (${
      JSON.stringify(change)
    }::text)::jsonb WHERE name = ${name}`;
  }
  await using relay = await startRelay(await relayUrl(database));
  for (const name of ["good", ...Object.keys(BROKEN)]) {
    await database.sql`SELECT tide.outbox_publish(${name}, '{"n": 1}', 'k')`;
  }
  await allPrinted(database, "good", [relay]);
  const blocked = await waitUntil(async () => {
    const pipelines = await statusOf(database.url);
    const isBlocked = (name: string) => pipelines.get(name)!.state === "blocked";
    return Object.keys(BROKEN).every(isBlocked) && pipelines;
  }, { what: "every broken pipeline to be blocked" });
  for (const [name, [, names]] of Object.entries(BROKEN)) {
    const { last_error, lag_messages } = blocked.get(name)!;
    assert.match(last_error!.reason, names, name);
    assert.ok(last_error!.advice!.length > 20, name);
    assert.equal(lag_messages, 1, name);
  }
  assert.equal(blocked.get("good")!.state, "idle");

  for (const name of Object.keys(BROKEN)) {
    await configure(database, name, {});
    await allPrinted(database, name, [relay]);
  }
  assert.equal(await relay.stop(), 0);
  // Each was told of once, however often it was tried.
  const told = (await relay.log()).split("\n").filter((line) => line.includes(" Blocked pipeline="));
  assert.equal(told.length, Object.keys(BROKEN).length);
});
