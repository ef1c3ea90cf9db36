/**
 * Rights: what a role can do after each of the grants, and that it can do nothing else.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { SILENT } from "../../../src/base/telemetry.ts";
import { PostgresCatalog } from "../../../src/pg/catalog.ts";
import { connect } from "../../../src/pg/database.ts";
import { PostgresPipelineStore } from "../../../src/pg/pipeline_store.ts";
import { registerPlugins } from "../../../src/pg/plugin_catalog.ts";
import { readStatus } from "../../../src/pg/status.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import type { RetryStore } from "../../../src/record/letter.ts";
import { INSTALLED_PLUGINS, type TideDatabase, tideTest } from "../../support/tide_database.ts";
import { deliverAll } from "./positions.ts";

type Kind = "publish" | "pipeline" | "relay" | "admin";

const KINDS: readonly Kind[] = ["publish", "pipeline", "relay", "admin"];

/** What each kind of role may do; publish and pipeline are for the outbox `orders` alone. Each call leaves things as they were. */
const CALLS: readonly [call: string, kinds: string][] = [
  ["tide.outbox_publish('orders', '1')", "publish"],
  ["tide.outbox_publish_many('orders', '[]')", "publish"],
  ["tide.outbox_publish('payroll', '1')", ""],
  ["tide.relay_set_outbox('p', 'orders', 'g', '{\"sink_type\": \"stdout\"}')", "pipeline admin"],
  ["tide.relay_set_outbox('q', 'payroll', 'g', '{\"sink_type\": \"stdout\"}')", "admin"],
  ["tide.relay_enable('p'), tide.relay_disable('p')", "pipeline admin"],
  ["tide.relay_enable('q')", "admin"],
  ["tide.relay_delete('p')", "pipeline admin"],
  ["tide.relay_delete('q')", "admin"],
  ["tide.relay_get_config('p')", "pipeline admin"],
  ["tide.relay_get_config('q')", "admin"],
  ["tide.outbox_status('orders')", "pipeline relay admin"],
  ["tide.outbox_status('payroll')", "relay admin"],
  ["tide.dlq_show(1)", "pipeline relay admin"],
  ["tide.dlq_show(2)", "relay admin"],
  ["tide.dlq_discard(p_id => 99)", "pipeline relay admin"],
  ["tide.dlq_count('p')", "pipeline relay admin"],
  ["tide.dlq_retry('p')", "pipeline relay admin"],
  ["tide.dlq_retry('q')", "relay admin"],
  ["tide.dlq_retry(p_id => 1, p_payload => '1')", "pipeline relay admin"],
  ["tide.dlq_retry(p_id => 2, p_payload => '1')", "relay admin"],
  ["tide.dlq_cancel(1)", "pipeline relay admin"],
  ["tide.dlq_cancel(2)", "relay admin"],
  ["tide.read_letters(1, 0, 1, 1)", "relay"],
  ["tide.mark(1)", "relay"],
  ["tide.read_run_1('3:3:', '9:9:', 0, 9, 9, 9)", "relay"],
  ["tide.read_stragglers_1('3:3:', '9:9:', 0, '9', 0, 9, 9)", "relay"],
  ["tide.read_run_2('3:3:', '9:9:', 0, 9, 9, 9)", "relay"],
  ["tide.ask_for_wakeup(1, 1)", "relay"],
  ["tide.check_numbering('me')", "relay"],
  ["tide.begin_life()", "relay"],
  ["tide.start_id(1, now())", "relay"],
  ["tide.outbox_rotate('orders')", "relay admin"],
  ["tide.outbox_create('made')", "admin"],
  ["tide.outbox_drop('unused')", "admin"],
  ["tide.outbox_disable('orders'), tide.outbox_enable('orders')", "admin"],
  ["tide.grant_publish('orders', current_user)", "admin"],
  ["tide.revoke_publish('orders', current_user)", "admin"],
  ["tide.grant_pipeline('payroll', current_user)", "admin"],
  ["tide.grant_relay(current_user)", "admin"],
  ["tide.grant_admin(current_user)", "admin"],
  // What only the functions of the schema call.
  ["tide.publish_2('1', NULL, 'insert', NULL, NULL, NULL)", ""],
  ["tide.retry_2('cancel', NULL, NULL)", "relay admin"],
  ["tide.request_retry(NULL, NULL, false)", ""],
  ["tide.edit_letter(1, '1')", ""],
  ["tide.pipeline_2('set', 'x', 'h', '{\"sink_type\": \"stdout\"}')", "admin"],
  ["tide.lag_2('q')", "relay admin"],
  ["tide.status_2()", "relay admin"],
  ["tide.set_pipeline(1, 'x', 'g', '{}')", ""],
  ["tide.outbox_figures(2)", ""],
  ["tide.create_dispatcher()", ""],
  ["tide.change_rights(true, '{mark}', current_user::text)", ""],
  ["tide.truncate_slot(1, 0)", ""],
  ["tide.begin_incarnation(1)", ""],
  ["nextval('tide.id_1')", ""],
  ["setval('tide.wait_1', 1)", ""],
  ["setval('tide.slot_1', 1)", ""],
];

/** The tables that each kind of role may read. Message tables are read by functions alone. */
const TABLES: readonly [table: string, kinds: string][] = [
  ["outbox", "pipeline relay admin"],
  ["pipeline", "pipeline relay admin"],
  ["plugin", "pipeline relay admin"],
  ["dead_letter", "pipeline relay admin"],
  ["dead_letter_retry", "pipeline relay admin"],
  ["schema_version", "pipeline relay admin"],
  ["lease", "relay"],
  ["window", "relay"],
  ["position_log", "relay"],
  ["relay", "relay"],
  ["pipeline_state", "relay"],
  ["message_1", ""],
  ["message_1_0", ""],
  ["cluster", ""],
  ["directory", ""],
  ["server_life", ""],
];

/** Outboxes 1 to 3, a pipeline and a dead letter of each of the first two, and a role of each kind. */
async function setUp(database: TideDatabase): Promise<Record<Kind, postgres.Sql>> {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('payroll'), tide.outbox_create('unused')`;
  for (const [pipeline, outbox, number] of [["p", "orders", 1], ["q", "payroll", 2]] as const) {
    await sql`SELECT tide.relay_set_outbox(${pipeline}, ${outbox}, 'g', '{"sink_type": "stdout"}')`;
    await addLetter(sql, pipeline, outbox, number);
  }
  await sql`SELECT tide.dlq_retry('p'), tide.dlq_retry('q')`;
  const names = await Promise.all(KINDS.map(() => database.createRole()));
  const [publish, pipeline, relay, admin] = names as [
    typeof names[0],
    typeof names[0],
    typeof names[0],
    typeof names[0],
  ];
  await sql`SELECT tide.grant_publish('orders', ${publish!.name}), tide.grant_pipeline('orders', ${
    pipeline!.name
  }),
    tide.grant_relay(${relay!.name}), tide.grant_admin(${admin!.name})`;
  return { publish: publish!.sql, pipeline: pipeline!.sql, relay: relay!.sql, admin: admin!.sql };
}

async function addLetter(sql: postgres.Sql, pipeline: string, outbox: string, number: number): Promise<void> {
  await sql`INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code,
    reason, attempts, created_at, op, payload)
    VALUES (${pipeline}, ${outbox}, ${number}, 'x', 1, 0, 'deliver', 'C', 'r', 1, now(), 'insert', '1')`;
}

/** Whether a role may do something; whatever it does is taken back. */
async function may(sql: postgres.Sql, statement: string): Promise<boolean> {
  await sql`BEGIN`;
  try {
    await sql.unsafe(statement);
    return true;
  } catch (error) {
    const { code, message } = error as postgres.PostgresError;
    const refused = ["42501", "TD001", "TD020", "TD050", "TD054"].includes(code);
    assert.ok(refused, `${statement}: ${code} ${message}`);
    return false;
  } finally {
    await sql`ROLLBACK`;
  }
}

tideTest("each grant lets a role do its part and nothing else", async (database) => {
  const roles = await setUp(database);
  const check = async (what: string, statement: string, kinds: string) => {
    const allowed: Kind[] = [];
    for (const kind of KINDS) {
      if (await may(roles[kind], statement)) allowed.push(kind);
    }
    assert.equal(allowed.join(" "), kinds, what);
  };
  for (const [call, kinds] of CALLS) await check(call, `SELECT ${call}`, kinds);
  for (const [table, kinds] of TABLES) await check(table, `SELECT * FROM tide.${table}`, kinds);
  const known = await database
    .sql`SELECT relname AS name FROM pg_class WHERE relnamespace = 'tide'::regnamespace
    AND relkind IN ('r', 'p') AND relname !~ '^message_'`;
  const listed = TABLES.map(([table]) => table).filter((table) => !table.startsWith("message_"));
  assert.deepEqual(known.map(({ name }) => name).sort(), listed.sort(), "every table stands in the list");
});

tideTest("lists show each role what it has a right on", async (database) => {
  const roles = await setUp(database);
  const names = async (sql: postgres.Sql, query: string) =>
    (await sql.unsafe(query).catch((error) => assert.equal(error.code, "42501")) ?? []).map(({ name }) =>
      name
    ).join(" ");
  const seen = async (query: string) => {
    const lists = KINDS.map(async (kind) => [kind, await names(roles[kind], query)] as const);
    return Object.fromEntries(await Promise.all(lists));
  };
  const all = {
    publish: "",
    pipeline: "orders",
    relay: "orders payroll unused",
    admin: "orders payroll unused",
  };
  assert.deepEqual(await seen("SELECT name FROM tide.outbox_list()"), all);
  assert.deepEqual(await seen("SELECT name FROM tide.outbox ORDER BY name"), { ...all, publish: "orders" });
  const pipelines = { publish: "", pipeline: "p", relay: "p q", admin: "p q" };
  assert.deepEqual(await seen("SELECT pipeline AS name FROM tide.relay_list_configs()"), pipelines);
  assert.deepEqual(await seen("SELECT pipeline AS name FROM tide.consumer_group_status()"), pipelines);
  assert.deepEqual(await seen("SELECT pipeline AS name FROM tide.dlq_list()"), pipelines);
  assert.deepEqual(await seen("SELECT pipeline AS name FROM tide.dlq_status()"), pipelines);
  assert.deepEqual(await seen("SELECT pipeline AS name FROM tide.dlq_retries() ORDER BY retry"), pipelines);
  assert.deepEqual(await seen("SELECT pipeline AS name FROM tide.dead_letter_retry ORDER BY id"), pipelines);
  assert.deepEqual(
    await seen("SELECT p AS name FROM unnest('{p,q}'::text[]) p, tide.pipeline_lag(p) l WHERE l.exact"),
    pipelines,
  );
});

tideTest("relays and administrators have their rights on outboxes that are made later", async (database) => {
  const roles = await setUp(database);
  await roles.admin`SELECT tide.outbox_create('late')`;
  await roles.admin`SELECT tide.relay_set_outbox('l', 'late', 'g', '{"sink_type": "stdout"}')`;
  await roles.relay`SELECT tide.mark(4)`;
  await roles.relay`SELECT tide.read_run_4('3:3:', '9:9:', 0, 9, 9, 9)`;
  await roles.relay`SELECT * FROM tide.pipeline_lag('l')`;
  await assert.rejects(roles.pipeline`SELECT tide.outbox_status('late')`, { code: "TD001" });
  await roles.admin`SELECT tide.relay_delete('l')`;
  await roles.admin`SELECT tide.outbox_drop('late')`;
});

tideTest("what is revoked is gone, and nothing remains of an outbox that is dropped", async (database) => {
  const { sql } = database;
  const roles = await setUp(database);
  const name = async (kind: Kind) => (await roles[kind]`SELECT current_user::text AS name`)[0]!["name"];
  for (
    const statement of [
      `SELECT tide.revoke_publish('orders', '${await name("publish")}')`,
      `SELECT tide.revoke_pipeline('orders', '${await name("pipeline")}')`,
      `SELECT tide.revoke_relay('${await name("relay")}')`,
      `SELECT tide.revoke_admin('${await name("admin")}')`,
    ]
  ) await sql.unsafe(statement);
  for (const [call] of CALLS) {
    for (const kind of KINDS) {
      assert.equal(
        await may(roles[kind], `SELECT ${call}`),
        // What is left of the right sees nothing, so that there is nothing to do.
        ["tide.dlq_discard", "tide.dlq_count"].some((name) => call.startsWith(name)) && kind === "pipeline",
        call,
      );
    }
  }
  for (
    const call of ["grant_relay('nobody_at_all')", "revoke_admin(NULL)", "grant_publish('orders', 'public')"]
  ) {
    await assert.rejects(sql.unsafe(`SELECT tide.${call}`), { code: "TD060", hint: /CREATE ROLE/ });
  }
});

tideTest("rights that are given at once are all given", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders')`;
  const roles = await Promise.all(Array.from({ length: 8 }, () => database.createRole()));
  await Promise.all(
    roles.map(({ name }) => database.connect()`SELECT tide.grant_publish('orders', ${name})`),
  );
  for (const role of roles) await role.sql`SELECT tide.outbox_publish('orders', '1')`;
});

tideTest("a role with a name that must be quoted is granted and served", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders')`;
  const name = `odd "role" ${database.name}`;
  await sql.unsafe(`CREATE ROLE "${name.replaceAll('"', '""')}"`);
  try {
    await sql`SELECT tide.grant_publish('orders', ${name}), tide.grant_admin(${name}), tide.grant_relay(${name})`;
    const client = database.connect();
    await client`SELECT set_config('role', ${name}, false)`;
    await client`SELECT tide.outbox_publish('orders', '1')`;
    await client`SELECT tide.outbox_create('another')`;
  } finally {
    await sql.unsafe(
      `DROP OWNED BY "${name.replaceAll('"', '""')}"; DROP ROLE "${name.replaceAll('"', '""')}"`,
    ).simple();
  }
});

const LETTER: DeadLetter = {
  messageId: 2,
  recordIndex: 0,
  stage: "deliver",
  failure: "rejected",
  code: "C",
  reason: "r",
  attempts: 1,
  createdMs: 0,
  op: "insert",
  dedupKey: null,
  payload: "2",
  headers: null,
  previous: null,
  topic: "t",
  recordKey: null,
  partition: null,
};

/** Have both letters sent again: one is delivered, the other refused again. */
async function sendAgain(sql: postgres.Sql, retries: RetryStore): Promise<void> {
  await sql`SELECT * FROM tide.dlq_retry('p')`;
  const request = (await retries.next())!;
  const { letters: [first, second], readAt } = (await retries.read(request, 0, { rows: 10, bytes: 1000 }))!;
  const { stage, failure, code, reason, topic, recordKey, partition } = LETTER;
  await retries.settle(request, [
    { letter: first!, readAt, outcome: "delivered" },
    { letter: second!, readAt, outcome: { stage, failure, code, reason, topic, recordKey, partition } },
  ]);
  await retries.finish(request);
}

tideTest("a role made by grant_relay alone can do all that a relay does", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders', retention_hours => 1)`;
  await sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', '{"sink_type": "stdout"}')`;
  await sql`SELECT tide.relay_enable('p')`;
  await sql`SELECT tide.outbox_publish('orders', to_jsonb(n)) FROM generate_series(1, 3) n`;
  const role = await database.createRole();
  await sql`SELECT tide.grant_relay(${role.name})`;
  const db = await connect({ url: role.url });
  try {
    await registerPlugins(db, INSTALLED_PLUGINS);
    await registerPlugins(db, [{ ...INSTALLED_PLUGINS[0]!, summary: "another" }]);
    const catalog = new PostgresCatalog(db, { name: "relay", version: "1" });
    await catalog.register();
    const [spec] = await catalog.load();
    const store = new PostgresPipelineStore({
      db,
      pipeline: "p",
      holder: "relay",
      adopt: false,
      log: SILENT,
    });
    const epoch = await store.lease.tryAcquire(60_000);
    assert.notEqual(epoch, null);
    const { source, offsets, deadLetters, retries } = await store.openOutbox(spec!, epoch!);
    const upper = await source.mark();
    const window = { number: 1, lower: { snapshot: "3:3:", topId: 0, nextXid: "3" }, upper };
    assert.equal(await source.stragglers(window, 0, { rows: 10, bytes: 1000 }), null);
    assert.equal((await source.run(window, 0, { rows: 10, bytes: 1000 }))?.count, 3);
    await source.askForWakeup();
    await deadLetters.keep([LETTER, { ...LETTER, messageId: 3 }]);
    assert.equal(await deadLetters.count(10), 2);
    await offsets.save({ window, phase: "run", lastId: 2 });
    await offsets.save({ window, phase: "run", lastId: 3 });
    await sendAgain(sql, retries);
    await store.report(epoch!, { state: "running", code: null, reason: null, advice: null });
    const [status] = await readStatus(db);
    assert.equal(status?.lag_messages, 0);
    assert.equal(status?.state, "idle");
    await deliverAll(sql, "p");
    await sql`UPDATE tide.message_1 SET created_at = created_at - interval '5 hours'`;
    await catalog.maintain();
    await catalog.maintain();
    await catalog.expire();
    const [left] = await sql`SELECT (SELECT count(*)::int FROM tide.message_1) AS messages,
      (SELECT count(*)::int FROM tide.dead_letter) AS letters, (SELECT count(*)::int FROM tide.position_log) AS positions`;
    assert.deepEqual(left, { messages: 0, letters: 1, positions: 1 });
    await store.lease.release(epoch!);
    await catalog.unregister();
  } finally {
    await db.close();
  }
});
