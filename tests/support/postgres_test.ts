import { strict as assert } from "node:assert";
import postgres from "postgres";
import { type PostgresMajor, startPostgres } from "./postgres.ts";

const VERSIONS: readonly PostgresMajor[] = [13, 14, 18];

for (const version of VERSIONS) {
  Deno.test(`startPostgres() starts PostgreSQL ${version} and keeps its data over a restart and a crash`, async () => {
    await using server = await startPostgres({ version, settings: { max_prepared_transactions: "7" } });
    await using database = await server.createDatabase();
    await query(database.url, "CREATE TABLE kept AS SELECT 1 AS n");
    await server.restart();
    await query(database.url, "INSERT INTO kept VALUES (2)");
    await server.kill();
    await assert.rejects(query(database.url, "SELECT 1"), /ECONNREFUSED/);
    await server.start();
    const rows = await query(
      database.url,
      "SELECT sum(n)::int AS total, current_setting('server_version_num')::int / 10000 AS major, " +
        "current_setting('fsync') AS fsync, current_setting('max_prepared_transactions') AS prepared FROM kept",
    );
    assert.deepEqual(rows, [{ total: 3, major: version, fsync: "on", prepared: "7" }]);
  });
}

Deno.test("createDatabase() gives databases that share nothing and are gone when dropped", async () => {
  await using server = await startPostgres({ version: 18, durable: false });
  await using first = await server.createDatabase();
  const second = await server.createDatabase();
  await query(first.url, "CREATE TABLE mine ()");
  await assert.rejects(query(second.url, "SELECT FROM mine"), /relation "mine" does not exist/);
  await second.drop();
  await second.drop();
  await assert.rejects(query(second.url, "SELECT 1"), /does not exist/);
});

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, connect_timeout: 10 });
  try {
    return [...await sql.unsafe<Record<string, unknown>[]>(statement)];
  } finally {
    await sql.end();
  }
}
