import { strict as assert } from "node:assert";
import { sharedPostgres } from "./postgres.ts";
import { tideDatabase } from "./tide_database.ts";

for (const version of [14, 18] as const) {
  Deno.test(`tideDatabase() installs the schema on PostgreSQL ${version}, and leaves no role behind`, async () => {
    const server = await sharedPostgres(version);
    const database = await tideDatabase(server);
    const role = await database.createRole();
    const [row] = await role.sql`SELECT current_user::text AS who`;
    assert.equal(row?.["who"], role.name);
    await assert.rejects(role.sql`SELECT tide.outbox_create('orders')`, { code: "42501" });
    await database.sql`SELECT tide.outbox_create('orders')`;
    await database.drop();
    await database.drop();

    await using other = await tideDatabase(server);
    assert.deepEqual([...await other.sql`SELECT FROM pg_roles WHERE rolname = ${role.name}`], []);
    assert.deepEqual([...await other.sql`SELECT * FROM tide.outbox_list()`], []);
  });
}
