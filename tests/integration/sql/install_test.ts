/**
 * Installing the schema: again, at once, under load, and where it must not be.
 */

import { strict as assert } from "node:assert";
import postgres from "postgres";
import { printInstall } from "../../../src/pg/migrate.ts";
import { SCHEMA } from "../../../src/pg/schema_version.ts";
import { sharedPostgres, startPostgres } from "../../support/postgres.ts";
import { INSTALLED_PLUGINS, POSTGRES_VERSIONS, tideDatabase, tideTest } from "../../support/tide_database.ts";

const SCRIPT = printInstall(INSTALLED_PLUGINS);

/** Everything in the schema, with its definition and rights. */
const INVENTORY = `
  SELECT p.oid::regprocedure::text AS name, pg_get_functiondef(p.oid) AS definition, p.proacl::text AS rights
  FROM pg_proc p WHERE p.pronamespace = 'tide'::regnamespace
  UNION ALL
  SELECT c.oid::regclass::text, (SELECT string_agg(a.attname || ' ' || a.atttypid::regtype, ', ' ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0), c.relacl::text
  FROM pg_class c WHERE c.relnamespace = 'tide'::regnamespace
  ORDER BY 1`;

/** Execute the script as `psql` would. */
async function runScript(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(SCRIPT).simple();
  } finally {
    await sql.end();
  }
}

Deno.test("the script is ASCII, so that a database in any encoding can say what is wrong", () => {
  assert.match(SCRIPT, /^\p{ASCII}+$/u);
});

tideTest("the installation may be repeated, and changes nothing then", async ({ sql, url }) => {
  const before = [...await sql.unsafe(INVENTORY)];
  await sql`SELECT tide.outbox_create('orders')`;
  await sql`SELECT tide.outbox_publish('orders', '1')`;
  await sql`SELECT tide.outbox_drop('orders')`;
  await runScript(url);
  await runScript(url);
  const versions = await sql`SELECT version FROM tide.schema_version ORDER BY version`;
  assert.deepEqual(
    versions.map(({ version }) => version),
    Array.from({ length: SCHEMA.newest }, (_, i) => i + 1),
  );
  assert.deepEqual([...await sql.unsafe(INVENTORY)], before);
});

for (const version of POSTGRES_VERSIONS) {
  Deno.test(`ten installations at once all succeed (PostgreSQL ${version})`, async () => {
    const server = await sharedPostgres(version);
    await using fresh = await server.createDatabase();
    await Promise.all(Array.from({ length: 10 }, () => runScript(fresh.url)));
    await using installed = await tideDatabase(server);
    const inventory = async (url: string) => {
      const sql = postgres(url, { max: 1 });
      try {
        return [...await sql.unsafe(INVENTORY)];
      } finally {
        await sql.end();
      }
    };
    assert.deepEqual(await inventory(fresh.url), await inventory(installed.url));
  });
}

tideTest("the installation runs beside publishing, reading and administration", async (database) => {
  const { sql, url } = database;
  await sql`SELECT tide.outbox_create('orders')`;
  const role = await database.createRole();
  const work = [
    ["SELECT tide.outbox_publish('orders', '1')"],
    [
      "SELECT * FROM tide.mark(1)",
      "SELECT n FROM tide.read_run_1('3:3:', pg_current_snapshot(), 0, 1000000, 10, 1000)",
    ],
    ["SELECT tide.outbox_create('other')", "SELECT tide.outbox_drop('other')"],
    [
      `SELECT tide.grant_publish('orders', '${role.name}')`,
      `SELECT tide.revoke_publish('orders', '${role.name}')`,
    ],
    ["SELECT tide.outbox_disable('orders'), tide.outbox_enable('orders')", "SELECT tide.outbox_rotate()"],
  ];
  const rounds = work.map(() => 0);
  let running = true;
  const workers = work.map(async (statements, place) => {
    const client = database.connect();
    for (; running; rounds[place]!++) {
      for (const statement of statements) {
        // A publisher of a disabled outbox is told so.
        await client.unsafe(statement).catch((error) => assert.equal(error.code, "TD002"));
      }
    }
  });
  for (let i = 0; i < 5 || rounds.some((count) => count < 5); i++) await runScript(url);
  running = false;
  await Promise.all(workers);
});

tideTest("a schema of that name that is somebody else's is refused and left alone", async (_, server) => {
  for (
    const foreign of [
      "CREATE TABLE tide.schema_version (v int)",
      "CREATE FUNCTION tide.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ]
  ) {
    await using database = await server.createDatabase();
    const sql = postgres(database.url, { max: 1 });
    await sql.unsafe(`CREATE SCHEMA tide; ${foreign}`).simple();
    await assert.rejects(runScript(database.url), { code: "TD072", hint: /Rename or drop/ });
    const more = await sql`SELECT relname FROM pg_class WHERE relnamespace = 'tide'::regnamespace
      AND relname <> 'schema_version'`;
    assert.deepEqual([...more], []);
    await sql.end();
  }
});

tideTest("an empty schema that an administrator has made is used", async (_database, server) => {
  await using database = await server.createDatabase();
  const sql = postgres(database.url, { max: 1 });
  await sql`CREATE SCHEMA tide`;
  await runScript(database.url);
  await sql`SELECT tide.outbox_create('orders')`;
  await sql.end();
});

tideTest("a database in another encoding is refused", async (_database, server) => {
  await using database = await server.createDatabase("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  await assert.rejects(runScript(database.url), {
    code: "TD071",
    message: /LATIN1, expected UTF8/,
    hint: /ENCODING/,
  });
});

Deno.test("PostgreSQL 13 is refused", async () => {
  await using server = await startPostgres({ version: 13, durable: false });
  await assert.rejects(runScript(server.url()), {
    code: "TD070",
    message: /PostgreSQL 13\.\d+.*expected 14/,
  });
});

for (const version of POSTGRES_VERSIONS) {
  Deno.test(`a standby is refused for installing, marks and the check (PostgreSQL ${version})`, async () => {
    await using server = await startPostgres({ version, durable: false });
    const sql = postgres(server.url(), { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(SCRIPT).simple();
      await sql`SELECT tide.outbox_create('orders')`;
      await server.demote();
      await assert.rejects(sql.unsafe(SCRIPT).simple(), { code: "TD031" });
      await sql`ROLLBACK`;
      await assert.rejects(sql`SELECT tide.mark(1)`, { code: "TD031", hint: /primary/ });
      assert.deepEqual([...await sql`SELECT verdict FROM tide.check_numbering('me')`], [{
        verdict: "standby",
      }]);
    } finally {
      await sql.end();
    }
  });
}

tideTest(
  "every function is closed to PUBLIC and has a search_path that ends with pg_temp",
  async ({ sql, url }) => {
    await sql`SELECT tide.outbox_create('orders')`;
    await sql`SELECT tide.outbox_disable('orders'), tide.outbox_enable('orders')`;
    await runScript(url);
    const functions = await sql`
    SELECT p.proname AS name, coalesce(p.proacl::text, 'PUBLIC may execute') AS rights,
        format('{%1$s=X/%1$s}', current_user) AS owner,
      (SELECT string_agg(c, ' ') FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%') AS path
    FROM pg_proc p WHERE p.pronamespace = 'tide'::regnamespace`;
    assert.ok(functions.length > 80);
    for (const { name, rights, owner, path } of functions) {
      assert.equal(rights, owner, name);
      assert.equal(path, "search_path=pg_catalog, pg_temp", name);
    }
  },
);

tideTest("no table or sequence is open to PUBLIC", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders')`;
  const open = await sql`
    SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.relnamespace = 'tide'::regnamespace AND a.grantee = 0`;
  assert.deepEqual([...open], []);
});
