/**
 * Pipelines: the page's configurations, what is refused and how, and what a change keeps.
 */

import { strict as assert } from "node:assert";
import type { PluginDescription } from "@pg-tide/sdk";
import type postgres from "postgres";
import { catalogEntry } from "../../../src/config/compose.ts";
import { catalogScript } from "../../../src/pg/plugin_catalog.ts";
import { CONFIGURE_THE_PIPELINE } from "../../demo/complete_example.ts";
import { MINIMAL as PAGE_MINIMAL, PRODUCTION as PAGE_PRODUCTION } from "../../support/page_configurations.ts";
import { tideTest } from "../../support/tide_database.ts";

const MINIMAL = { sink_type: "kafka", brokers: "localhost:9092", topic: "order-events" };

function set(sql: postgres.Sql, pipeline: string, outbox: string, group: string, config: postgres.JSONValue) {
  return sql`SELECT tide.relay_set_outbox(${pipeline}, ${outbox}, ${group}, ${sql.json(config)})`;
}

/** Everything that the catalog says about pipelines. */
function pipelines(sql: postgres.Sql) {
  return sql`SELECT pipeline, outbox, consumer_group, enabled, revision::int, config FROM tide.relay_list_configs()`;
}

tideTest("the page's configurations are accepted as they stand", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders', retention_hours => 48)`;
  for (const statement of [PAGE_MINIMAL, PAGE_PRODUCTION, CONFIGURE_THE_PIPELINE]) {
    await sql.unsafe(statement).simple();
  }
  const [pipeline, ...more] = await pipelines(sql);
  assert.deepEqual(more, []);
  assert.deepEqual(pipeline, {
    pipeline: "orders-to-kafka",
    outbox: "orders",
    consumer_group: "kafka-relay",
    enabled: true,
    revision: 3,
    config: {
      sink_type: "kafka",
      brokers: "kafka:9092",
      topic: "order-events",
      compression: "zstd",
      acks: "all",
      idempotent: true,
      batch_size: 100,
    },
  });
});

tideTest("all problems of a configuration are one error, and nothing is changed", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders')`;
  const config = {
    sink_type: "kafka",
    brokers: "localhost",
    batchsize: 5,
    batch_size: "500",
    acks: 1,
    compression: "zsdt",
    linger_ms: -1,
    idempotent: null,
    sasl_username: "me",
    sasl_password: 5,
    message_key: "${env:HOME}",
    headers: { ok: "yes", bad: 1 },
    retry: { max_attemps: 3, max_ms: 10 },
  };
  await assert.rejects(set(sql, "p!", "orders", "g", config), (error: postgres.PostgresError) => {
    assert.equal(error.code, "TD021");
    assert.match(error.message, /^Cannot set pipeline "p!": \d+ problems$/);
    assert.match(error.hint ?? "", /Nothing was changed/);
    const lines = (error.detail ?? "").split("\n");
    assert.deepEqual(lines, [
      "pipeline: must be 1 to 200 letters, digits and _ . : / -",
      "acks: is 1, expected a string",
      'batch_size: is "500", expected an integer',
      "batchsize: there is no such field (did you mean batch_size?)",
      'brokers: is "localhost", expected a comma-separated list of host:port',
      'compression: is "zsdt", expected none, gzip, snappy, lz4, zstd (did you mean zstd?)',
      "headers.bad: is 1, expected a string",
      "linger_ms: is -1, expected at least 0",
      "message_key: holds the reference ${env:HOME}, which is not resolved in this field",
      "retry.max_attemps: there is no such field (did you mean retry.max_attempts?)",
      "sasl_password: is a secret number, expected a string",
      'topic: topic must be set when sink_type is "kafka": name the topic, or give a template such as "events.{op}"',
      'sasl_mechanism: sasl_username is only used with sasl_mechanism "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512": set ' +
      "sasl_mechanism so, or remove sasl_username",
      "retry.initial_ms: is 100, expected at most retry.max_ms, which is 10",
    ]);
    return true;
  });
  assert.deepEqual([...await pipelines(sql)], []);
});

tideTest(
  "one problem is told in the message itself, and an unknown plugin lists the known ones",
  async ({ sql }) => {
    await sql`SELECT tide.outbox_create('orders')`;
    const refusals: [postgres.JSONValue, RegExp][] = [
      [{ ...MINIMAL, acks: "1", idempotent: true }, /: acks: idempotent needs acks "all"/],
      [
        { ...MINIMAL, sink_type: "kafak" },
        /: sink_type: is "kafak", expected one of kafka, stdout \(did you mean kafka\?\)$/,
      ],
      [{}, /: sink_type: is required, expected one of kafka, stdout$/],
      [{ ...MINIMAL, wire_format: "avro" }, /: wire_format: is "avro", expected one of native, json$/],
      [{ ...MINIMAL, "retry.max_ms": 5 }, /: retry\.max_ms: is written with a dot/],
      [{ ...MINIMAL, retry: 5 }, /: retry: is not an object/],
      [{ sink_type: "kafka", topic: "t" }, /: brokers: is required: Comma-separated/],
      [
        { ...MINIMAL, sasl_mechanism: "PLAIN", sasl_username: "u", sasl_password: "${evn:X}" },
        /: sasl_password: holds the reference \$\{evn:X\}, expected \$\{env:NAME\} or \$\{file:\/path\} \(did you mean env\?\)$/,
      ],
      [[], /: config: is of type array, expected an object$/],
    ];
    for (const [config, message] of refusals) {
      await assert.rejects(set(sql, "p", "orders", "g", config), { code: "TD021", message });
    }
    await assert.rejects(sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', NULL)`, {
      code: "TD021",
      message: /config: is NULL/,
    });
    await assert.rejects(sql`SELECT tide.relay_set_outbox(NULL, 'orders', NULL, '{"sink_type": "stdout"}')`, {
      code: "TD021",
      message: /^Cannot set pipeline NULL: 2 problems$/,
    });
    await assert.rejects(set(sql, "p", "nothing", "g", MINIMAL), { code: "TD001", hint: /grant_pipeline/ });
  },
);

tideTest(
  "before any relay or installation has told what there is, every configuration is taken",
  async ({ sql }) => {
    await sql`SELECT tide.outbox_create('orders')`;
    await sql`DELETE FROM tide.plugin`;
    await set(sql, "p", "orders", "g", { sink_type: "anything", whatever: 1 });
    await assert.rejects(set(sql, "q", "orders", "h", {}), {
      code: "TD021",
      message: /sink_type: is required$/,
    });
  },
);

tideTest(
  "a changed configuration keeps the position, the lease and whether it is enabled",
  async ({ sql }) => {
    await sql`SELECT tide.outbox_create('orders')`;
    await set(sql, "p", "orders", "g", MINIMAL);
    assert.equal((await pipelines(sql))[0]?.["enabled"], false);
    await sql`SELECT tide.relay_enable('p')`;
    await sql`UPDATE tide.lease SET holder = 'me', epoch = 7, expires_at = 'infinity'`;
    await sql`INSERT INTO tide.window SELECT 'p', 1, '3:3:', 0, '3', '5:5:', 9, '5'`;
    await sql`INSERT INTO tide.position_log (pipeline, epoch, window_number, phase, last_id) VALUES ('p', 7, 1, 'run', 9)`;
    await set(sql, "p", "orders", "g", { ...MINIMAL, batch_size: 7 });
    const [pipeline] = await pipelines(sql);
    assert.deepEqual([pipeline?.["enabled"], pipeline?.["revision"]], [true, 2]);
    const [kept] =
      await sql`SELECT l.holder, l.epoch::int, s.last_id::int FROM tide.lease l, tide.saved_position('p') s`;
    assert.deepEqual(kept, { holder: "me", epoch: 7, last_id: 9 });
    await sql`SELECT tide.relay_disable('p')`;
    await set(sql, "p", "orders", "g", MINIMAL);
    assert.equal((await pipelines(sql))[0]?.["enabled"], false);

    const [config] = await sql`SELECT tide.relay_get_config('p') AS config`;
    assert.deepEqual(config?.["config"], MINIMAL);
    await sql`SELECT tide.relay_delete('p')`;
    assert.deepEqual([...await sql`SELECT FROM tide.position_log UNION ALL SELECT FROM tide.lease`], []);
    await set(sql, "p", "orders", "g", MINIMAL);
    const [fresh] = await sql`SELECT window_number FROM tide.saved_position('p')`;
    assert.equal(fresh?.["window_number"], null, "a deleted pipeline's position is not found again");
  },
);

tideTest("a consumer group of an outbox belongs to one pipeline", async (database) => {
  const { sql } = database;
  await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('payroll')`;
  await set(sql, "p", "orders", "g", MINIMAL);
  await assert.rejects(set(sql, "q", "orders", "g", MINIMAL), {
    code: "TD022",
    message: /belongs to pipeline "p"/,
  });
  await set(sql, "q", "payroll", "g", MINIMAL);
  await set(sql, "r", "orders", "h", MINIMAL);
  await assert.rejects(set(sql, "p", "orders", "other", MINIMAL), { code: "TD023", hint: /relay_delete/ });
  await assert.rejects(set(sql, "p", "payroll", "other", MINIMAL), { code: "TD023" });
  const [first, second] = [database.connect(), database.connect()];
  const raced = await Promise.allSettled([
    set(first, "x", "orders", "raced", MINIMAL),
    set(second, "y", "orders", "raced", MINIMAL),
  ]);
  assert.deepEqual(raced.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

tideTest(
  "enabling and disabling say whether they changed something, and tell the relays",
  async (database) => {
    const { sql } = database;
    await sql`SELECT tide.outbox_create('orders')`;
    let heard = 0;
    const listener = database.connect();
    await listener.listen("tide_config", () => heard++);
    const told = async (statement: Promise<unknown>) => {
      const before = heard;
      await statement;
      while (heard === before) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await told(set(sql, "p", "orders", "g", MINIMAL));
    const change = async (call: string) => {
      let changed: unknown;
      await told(sql.unsafe(`SELECT tide.${call} AS changed`).then(([row]) => changed = row?.["changed"]));
      return changed;
    };
    assert.equal(await change("relay_enable('p')"), true);
    assert.equal(await change("relay_enable('p')"), false);
    assert.equal(await change("relay_disable('p')"), true);
    assert.equal(await change("relay_disable('p')"), false);
    await told(sql`SELECT tide.relay_delete('p')`);
    for (const call of ["relay_enable", "relay_disable", "relay_delete", "relay_get_config"]) {
      await assert.rejects(sql.unsafe(`SELECT tide.${call}('p')`), {
        code: "TD020",
        message: /no pipeline "p" for role/,
      });
    }
  },
);

tideTest(
  "an outbox is made with checked settings, once, and dropped only without pipelines",
  async ({ sql }) => {
    const refusals: [string, RegExp][] = [
      ["'', 24", /the name must be 1 to 63/],
      ["'no spaces', 24", /the name must be/],
      ["'.hidden', 24", /the name must be/],
      ["repeat('a', 64), 24", /the name must be/],
      ["NULL, 24", /outbox NULL/],
      ["'a', 0", /retention_hours is 0, expected 1 to/],
      ["'a', NULL", /retention_hours is NULL/],
      ["'a', 24, 'always'", /wakeup is 'always', expected auto, notify or poll/],
      ["'a', 24, 'auto', 0", /max_message_bytes is 0/],
    ];
    for (const [args, message] of refusals) {
      await assert.rejects(sql.unsafe(`SELECT tide.outbox_create(${args})`), {
        code: "TD011",
        message,
        hint: /For example/,
      });
    }
    await sql`SELECT tide.outbox_create('orders', 1, 'notify', 1000)`;
    await assert.rejects(sql`SELECT tide.outbox_create('orders')`, { code: "TD010" });
    assert.deepEqual([
      ...await sql`SELECT name, enabled, retention_hours, wakeup, max_message_bytes FROM tide.outbox_list()`,
    ], [
      { name: "orders", enabled: true, retention_hours: 1, wakeup: "notify", max_message_bytes: 1000 },
    ]);
    await set(sql, "p", "orders", "g", MINIMAL);
    await assert.rejects(sql`SELECT tide.outbox_drop('orders')`, {
      code: "TD012",
      message: /has pipelines: 'p'/,
    });
    await sql`SELECT tide.relay_delete('p')`;
    await sql`SELECT tide.outbox_drop('orders')`;
    const left =
      await sql`SELECT relname AS name FROM pg_class WHERE relnamespace = 'tide'::regnamespace AND relname ~ '_1(_|$)'
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'tide'::regnamespace AND proname ~ '_1$'`;
    assert.deepEqual([...left], []);
    for (const call of ["outbox_drop", "outbox_enable", "outbox_disable", "outbox_rotate", "outbox_status"]) {
      await assert.rejects(sql.unsafe(`SELECT tide.${call}('orders')`), { code: "TD001" });
    }
    await sql`SELECT tide.outbox_create('orders')`;
    const [row] = await sql`SELECT tide.outbox_publish('orders', '1')::int AS id`;
    assert.equal(row?.["id"], 1);
  },
);

tideTest("a partition is refused for a sink that has none", async ({ sql }) => {
  await sql`SELECT tide.outbox_create('orders')`;
  const description = { kind: "sink", contract: 1, summary: "Posts", fields: [], permissions: {} } as const;
  const sinks: readonly PluginDescription[] = [
    { ...description, name: "webhook" },
    { ...description, name: "shards", partitions: true },
  ];
  await sql.unsafe(catalogScript(sinks.map(catalogEntry)));
  const partition = "{payload.shard}";
  await assert.rejects(set(sql, "p", "orders", "g", { sink_type: "webhook", partition }), {
    code: "TD021",
    detail:
      'partition: partition cannot be used with the sink "webhook", which has no partitions: leave it out',
  });
  await set(sql, "p", "orders", "g", { sink_type: "webhook", partition: null });
  await set(sql, "p", "orders", "g", { sink_type: "shards", partition });
});
