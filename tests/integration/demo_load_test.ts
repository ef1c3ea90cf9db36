import { strict as assert } from "node:assert";
import { Ledger } from "../demo/ledger.ts";
import { KEYS, publishLoad } from "../demo/load.ts";
import { KEYS_TABLE, OUTBOX } from "../demo/publisher.ts";
import { judge } from "../demo/verdict.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { type TideDatabase, tideDatabase } from "../support/tide_database.ts";

const MESSAGES = 1000;

async function databaseForLoad(): Promise<TideDatabase> {
  const database = await tideDatabase(await sharedPostgres(18));
  await database.sql.unsafe(KEYS_TABLE);
  await database.sql`INSERT INTO pg_tide_demo_key (key) SELECT unnest(${[...KEYS]}::text[])`;
  await database.sql`SELECT tide.outbox_create(${OUTBOX})`;
  return database;
}

/** The messages that are in the outbox, as records in the order of their ids. */
async function storedRecords({ sql }: TideDatabase) {
  const [outbox] = await sql<{ number: number }[]>`SELECT number FROM tide.outbox WHERE name = ${OUTBOX}`;
  const rows = await sql.unsafe<{ id: string; message: string }[]>(
    `SELECT id, payload::jsonb ->> 'id' AS message FROM tide.message_${outbox?.number} ORDER BY id`,
  );
  return rows.map(({ id, message }) => ({ id: message, partition: 0, offset: BigInt(id) }));
}

Deno.test("publishLoad() commits so many messages, in the order of their keys' locks, and rolls others back", async () => {
  await using database = await databaseForLoad();
  const ledger = new Ledger();
  const connect = (max: number) => database.connect({ max });
  await publishLoad(MESSAGES, connect, "load", ledger, new AbortController().signal);
  const records = await storedRecords(database);
  const none = { lost: 0, duplicated: 0, outOfOrder: 0, unexpected: 0 };
  assert.deepEqual(judge(ledger.committed, records), { published: MESSAGES, delivered: MESSAGES, ...none });
  assert.ok(ledger.rolledBack > 10, `${ledger.rolledBack} rolled back`);
  assert.ok(countLate(ledger, records) > 0, "some transaction was held while others committed");
  const keys = Map.groupBy(ledger.committed, ({ key }) => key);
  const shared = [...keys.values()].filter((messages) => new Set(messages.map(publisherOf)).size > 1);
  assert.ok(shared.length > 50, `${shared.length} keys are shared between publishers`);
});

Deno.test("publishLoad() stops at once when its signal is aborted, and leaves no transaction open", async () => {
  await using database = await databaseForLoad();
  const ledger = new Ledger();
  const controller = new AbortController();
  const connect = (max: number) => database.connect({ max });
  const publishing = publishLoad(MESSAGES, connect, "load", ledger, controller.signal);
  const outcome = assert.rejects(publishing, /^Error: enough$/);
  setTimeout(() => controller.abort(new Error("enough")), 300);
  await outcome;
  const open = await database.sql`SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`;
  assert.equal(open.length, 0);
  assert.ok(ledger.committed.length < MESSAGES);
});

/** Messages that committed after one with a higher id had. */
function countLate(ledger: Ledger, records: readonly { id: string; offset: bigint }[]): number {
  const ids = new Map(records.map(({ id, offset }) => [id, offset]));
  let highest = 0n;
  return ledger.committed.filter(({ id }) => {
    const offset = ids.get(id) ?? 0n;
    if (offset > highest) highest = offset;
    return offset < highest;
  }).length;
}

function publisherOf({ id }: { readonly id: string }): string {
  return id.slice(0, id.lastIndexOf("-"));
}
