/**
 * How a relay ends, and another one goes on.
 */

import assert from "node:assert/strict";
import { sharedPostgres } from "../../support/postgres.ts";
import {
  addPipeline,
  allPrinted,
  printedBy,
  Publishers,
  startRelay,
  statusOf,
} from "../../support/printing_relays.ts";
import type { RelayProcess } from "../../support/relay_process.ts";
import { type TideDatabase, tideDatabase } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";

const SERVER = () => sharedPostgres(18);
const NAMES = ["a", "b", "c"] as const;

/** The relay that holds a pipeline's lease, by the name in its log. */
async function holderOf(
  database: TideDatabase,
  relays: readonly RelayProcess[],
  pipeline: string,
): Promise<number> {
  const [row] = await database.sql<{ holder: string | null }[]>`
    SELECT holder FROM tide.lease WHERE pipeline = ${pipeline} AND expires_at > clock_timestamp()`;
  const logs = await Promise.all(relays.map((relay) => relay.log()));
  const name = row?.holder ?? "nobody";
  return logs.findIndex((log) => log.includes(`relay=${name}`));
}

for (const [second, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  Deno.test(`a relay that drains ends at once with ${code} at ${second}`, async () => {
    await using database = await tideDatabase(await SERVER());
    await addPipeline(database, "a");
    await using relay = await startRelay(database.url);
    const prints = async (n: number) => {
      await database.sql`SELECT tide.outbox_publish('a', jsonb_build_object('n', ${n}::integer), 'k')`;
      await waitUntil(async () => (await printedBy(relay, "a")).length === n, { what: `message ${n}` });
    };
    await prints(1);
    // The next save waits for the lease's row, and the drain for the save.
    const holder = database.connect();
    await holder`BEGIN`;
    await holder`SELECT FROM tide.lease FOR UPDATE`;
    await prints(2);
    await relay.signal("SIGTERM");
    await waitUntil(async () => (await relay.log()).includes("Stopping"), { what: "the drain to begin" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await relay.exitCode(), undefined, "it drains");
    await relay.signal(second);
    assert.equal(await relay.ended(10_000), code);
    await holder`ROLLBACK`;
  });
}

Deno.test("of two relays one delivers each pipeline; the other goes on when it is killed, and when it ends", async () => {
  await using database = await tideDatabase(await SERVER());
  for (const name of NAMES) await addPipeline(database, name);
  await using first = await startRelay(database.url);
  await using second = await startRelay(database.url);
  const load = await Promise.all(NAMES.map((name) => Publishers.start(database, name, 2)));
  try {
    for (const publishers of load) await publishers.more(30);
    for (const name of NAMES) {
      assert.deepEqual(await printedBy(second, name), [], `${name} is the first relay's`);
      assert.ok((await printedBy(first, name)).length > 0);
    }

    const killedMs = performance.now();
    await first.kill();
    for (const name of NAMES) {
      await waitUntil(async () => (await printedBy(second, name)).length > 0, {
        what: `${name} to be taken over`,
      });
    }
    const tookMs = performance.now() - killedMs;
    assert.ok(tookMs < 20_000, `${Math.round(tookMs)} ms, with a lease of 1,000`);

    for (const publishers of load) await publishers.more(30);
    await using third = await startRelay(database.url, ["--lease-ms", "600000"]);
    assert.equal(await second.stop(), 0);
    // The lease was given up, and the others were told: they need not wait for its time.
    for (const name of NAMES) {
      await waitUntil(async () => (await printedBy(third, name)).length > 0, {
        what: `${name} to be handed over`,
      });
    }
    await Promise.all(load.map((publishers) => publishers.stop()));
    for (const name of NAMES) {
      await allPrinted(database, name, [first, second, third]);
      assert.equal(await holderOf(database, [first, second, third], name), 2);
    }
    // What was handed over in order came once.
    for (const name of NAMES) {
      const ids = (await Promise.all([second, third].map((relay) => printedBy(relay, name)))).flat().map((
        { id },
      ) => id);
      assert.equal(new Set(ids).size, ids.length, `${name} after the end in order`);
    }
    assert.ok([...(await statusOf(database.url)).values()].every(({ state }) => state === "idle"));
    assert.equal(await third.stop(), 0);
  } finally {
    await Promise.all(load.map((publishers) => publishers.stop()));
  }
  assert.ok(
    [...(await statusOf(database.url)).values()].every(({ last_error }) => last_error?.code === "NO_RELAY"),
  );
});
