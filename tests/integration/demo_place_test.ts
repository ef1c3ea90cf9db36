import { strict as assert } from "node:assert";
import postgres from "postgres";
import { type DemoDatabase, givenDatabase } from "../demo/database.ts";
import { exitCodeOf, explain } from "../demo/failure.ts";
import { givenTopics } from "../demo/topics.ts";
import { sharedKafka } from "../support/kafka.ts";
import { quietClient } from "../support/kafka_admin.ts";
import { freePort } from "../support/port.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { FROM_SOURCE, runProgram } from "../support/relay_process.ts";
import { tideDatabase } from "../support/tide_database.ts";

function uniqueName(): string {
  return `pg_tide_demo_${crypto.randomUUID().slice(0, 8)}`;
}

async function query<Row extends postgres.Row>(url: string, statement: string): Promise<readonly Row[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return [...await sql.unsafe<Row[]>(statement)];
  } finally {
    await sql.end();
  }
}

async function installIn(place: DemoDatabase): Promise<void> {
  const { code, stderr } = await runProgram(FROM_SOURCE, ["install", "--postgres-url", place.url]);
  assert.equal(code, 0, stderr);
}

/** That opening fails so; returns what a person is told. */
async function refusal(opening: Promise<unknown>, exitCode: number): Promise<string> {
  const error = await opening.then(() => assert.fail("expected a refusal"), (reason: unknown) => reason);
  assert.equal(exitCodeOf(error), exitCode, String(error));
  return explain(error);
}

Deno.test("givenDatabase() works in a database of its own where the role may create one, and drops it", async () => {
  const server = await sharedPostgres(18);
  const name = uniqueName();
  const exists = () => query(server.url(), `SELECT FROM pg_database WHERE datname = '${name}'`);
  {
    await using place = await givenDatabase(server.url(), name);
    assert.equal(new URL(place.url).pathname, `/${name}`);
    await installIn(place);
    await place.connect(1)`SELECT tide.outbox_create('orders')`;
    assert.equal((await exists()).length, 1);
  }
  assert.equal((await exists()).length, 0);
});

Deno.test("givenDatabase() works in schemas of its own otherwise, beside a table orders, and drops them", async () => {
  await using database = await (await sharedPostgres(18)).createDatabase();
  const role = `role_of_${uniqueName()}`;
  const url = new URL(database.url);
  [url.username, url.password] = [role, "secret"];
  await query(
    database.url,
    `CREATE ROLE ${role} LOGIN PASSWORD 'secret'; CREATE TABLE orders AS SELECT 1 AS kept;
     DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${role}', current_database()); END $$`,
  );
  const name = uniqueName();
  try {
    const schemas = () =>
      query(database.url, `SELECT FROM pg_namespace WHERE nspname IN ('tide', '${name.slice(3)}')`);
    {
      await using place = await givenDatabase(url.href, name);
      await installIn(place);
      const sql = place.connect(1);
      await sql.unsafe("CREATE TABLE orders (id uuid); INSERT INTO orders VALUES (gen_random_uuid())")
        .simple();
      await sql`SELECT tide.outbox_create('orders')`;
      assert.equal((await schemas()).length, 2);
      assert.match(
        await refusal(givenDatabase(url.href, uniqueName()), 2),
        /there is a schema tide.*CREATEDB/s,
      );
    }
    assert.equal((await schemas()).length, 0);
    assert.deepEqual(await query(database.url, "SELECT * FROM public.orders"), [{ kept: 1 }]);
  } finally {
    await query(database.url, `DROP OWNED BY ${role}`);
    await query(database.url, `DROP ROLE ${role}`);
  }
});

Deno.test("givenDatabase() refuses a role that may create nothing, and says what to do", async () => {
  await using database = await tideDatabase(await sharedPostgres(18));
  const role = await database.createRole();
  const said = await refusal(givenDatabase(role.url, uniqueName()), 2);
  assert.match(said, /may create neither a database nor a schema there\n.*ALTER ROLE \w+ CREATEDB/);
});

Deno.test("givenDatabase() tells a server that is not there from a wrong password, and repeats no password", async () => {
  const nobody = `postgres://user:hidden@127.0.0.1:${freePort()}/postgres`;
  assert.match(await refusal(givenDatabase(nobody, uniqueName()), 3), /^Cannot connect to PostgreSQL at 127/);
  const url = new URL((await sharedPostgres(18)).url());
  url.password = "hidden";
  const said = await refusal(givenDatabase(url.href, uniqueName()), 2);
  assert.match(said, /refused the login/);
  assert.doesNotMatch(said, /hidden/);
});

Deno.test("givenTopics() leaves neither topics nor consumer groups behind", async () => {
  const { brokers } = await sharedKafka();
  const prefix = `${uniqueName()}.`;
  const admin = quietClient(brokers).admin();
  const producer = quietClient(brokers).producer();
  await Promise.all([admin.connect(), producer.connect()]);
  try {
    {
      await using topics = await givenTopics(brokers, prefix);
      const topic = await topics.create("events", 2);
      assert.equal(topic, `${prefix}events`);
      assert.equal(await topics.count(topic), 0);
      await producer.send({ topic, messages: [{ key: "a", value: "1" }, { key: "b", value: "2" }] });
      assert.equal(await topics.count(topic), 2);
      assert.equal((await topics.read(topic)).length, 2);
    }
    assert.deepEqual((await admin.listTopics()).filter((topic) => topic.startsWith(prefix)), []);
    const { groups } = await admin.listGroups();
    assert.deepEqual(groups.filter(({ groupId }) => groupId.startsWith(prefix)), []);
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  }
});

Deno.test("givenTopics() says that Kafka cannot be reached", async () => {
  const said = await refusal(givenTopics(`127.0.0.1:${freePort()}`, "x."), 3);
  assert.match(said, /^Cannot reach Kafka at 127\.0\.0\.1:\d+: .*\nCheck host and port/);
});
