import { strict as assert } from "node:assert";
import { sharedPostgres } from "../support/postgres.ts";
import type { RelayProcess } from "../support/relay_process.ts";
import { Deployment, type PipelineConfig, refusal } from "./deployment.ts";

const KAFKA = { sink_type: "kafka", brokers: "localhost:9092", topic: "orders" };
const STDOUT = { sink_type: "stdout", topic: "orders" };

/** Run a test beside a relay with a healthy pipeline. */
async function withRelay(
  test: (deployment: Deployment, relay: RelayProcess) => Promise<void>,
): Promise<void> {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await deployment.addHealthy();
  const env = { KAFKA_EMPTY: "", KAFKA_NONSENSE: "not a list of brokers" };
  await using relay = await deployment.startRelay([], { env });
  await test(deployment, relay);
  assert.equal(await relay.stop(), 0);
}

/** Configurations that `relay_set_outbox` refuses: each line of DETAIL, with the field first. */
const REFUSED: Readonly<Record<string, readonly [config: PipelineConfig, ...details: RegExp[]]>> = {
  "unknown key": [
    { ...KAFKA, compresion: "zstd", lingr_ms: 5 },
    /^compresion: there is no such field \(did you mean compression\?\)$/m,
    /^lingr_ms: there is no such field \(did you mean linger_ms\?\)$/m,
  ],
  "wrong types, all at once": [
    { ...KAFKA, batch_size: "100", idempotent: "true", acks: 1, headers: { source: 7 }, topic: ["orders"] },
    /^batch_size: is "100", expected an integer/m,
    /^idempotent: is "true", expected true or false/m,
    /^acks: is 1, expected a string/m,
    /^headers\.source: is 7, expected a string/m,
    /^topic: is \["orders"\], expected a string/m,
  ],
  "out of range": [
    { ...KAFKA, batch_size: 0, retry: { max_attempts: 0 } },
    /^batch_size: is 0, expected at least 1/m,
    /^retry\.max_attempts: is 0, expected at least 1/m,
  ],
  "not one of the values": [
    { ...KAFKA, compression: "zst", sasl_mechanism: "SCRAM" },
    /^compression: is "zst", expected .*none, gzip, snappy, lz4.* \(did you mean zstd\?\)/m,
    /^sasl_mechanism: is "SCRAM", expected .*SCRAM-SHA-256/m,
  ],
  "unknown sink_type": [
    { ...KAFKA, sink_type: "kafak" },
    /^sink_type: is "kafak", expected one of kafka, stdout \(did you mean kafka\?\)$/m,
  ],
  "no sink_type": [{ topic: "t" }, /^sink_type: is required, expected one of kafka, stdout$/m],
  "no brokers": [
    { sink_type: "kafka", topic: "t" },
    /^brokers: is required: Comma-separated list of broker addresses/m,
  ],
  "no topic": [{ sink_type: "kafka", brokers: "a:1" }, /^topic: .*name the topic, or give a template/m],
  "invalid broker list": [
    { ...KAFKA, brokers: "kafka-1,kafka-2:9092" },
    /^brokers: is "kafka-1,kafka-2:9092", expected a comma-separated list of host:port$/m,
  ],
  "impossible port": [
    { ...KAFKA, brokers: "localhost:99999" },
    /^brokers: is "localhost:99999", expected a comma-separated list of host:port$/m,
  ],
  "unknown template variables": [
    { ...STDOUT, topic: "orders.{stream_tabel}", message_key: "{customer}" },
    /^topic: has the unknown variable \{stream_tabel\} \(did you mean stream_table\?\), expected one of/m,
    /^message_key: has the unknown variable \{customer\}, expected one of \{stream_table\}/m,
  ],
  "single brace": [
    { ...STDOUT, topic: "orders.{op" },
    /^topic: has a single "\{", expected "\{\{"$/m,
  ],
  "unknown wire_format": [
    { ...KAFKA, wire_format: "avrro" },
    /^wire_format: is "avrro", expected one of native/m,
  ],
  "contradiction": [
    { ...KAFKA, idempotent: true, acks: "1" },
    /^acks: idempotent needs acks "all": set acks to "all", or idempotent to false$/m,
  ],
  "a reference that is none": [
    { ...KAFKA, brokers: "${vault:kafka}" },
    /^brokers: holds the reference \$\{vault:kafka\}, expected \$\{env:NAME\} or \$\{file:\/path\}$/m,
  ],
  "a reference where none is resolved": [
    { ...KAFKA, topic: "${env:KAFKA_TOPIC}" },
    /^topic: holds the reference \$\{env:KAFKA_TOPIC\}, which is not resolved in this field$/m,
  ],
};

Deno.test("relay_set_outbox names every field, value and what is accepted, and changes nothing", async (t) => {
  await withRelay(async (deployment, relay) => {
    await deployment.sql`SELECT tide.outbox_create('orders')`;
    await deployment.configure("orders", STDOUT);
    for (const [name, [config, ...details]] of Object.entries(REFUSED)) {
      await t.step(name, async () => {
        const { code, message, detail, hint } = await deployment.refusalOf("orders", config);
        assert.equal(code, "TD021");
        assert.match(message, /^Cannot set pipeline "orders": /);
        for (const pattern of details) assert.match(detail, pattern);
        assert.equal(detail.split("\n").length, details.length, detail);
        assert.match(hint, /^Nothing was changed\. .*plugin inspect/);
        const [row] = await deployment
          .sql`SELECT tide.relay_get_config('orders') AS config`;
        assert.deepEqual(row?.["config"], STDOUT);
      });
    }
    await deployment.healthyGoesOn(relay);
  });
});

interface Blocked {
  readonly config: PipelineConfig;
  /** What status says: the field, the value, what is accepted. */
  readonly reason: RegExp;
}

/** Configurations of which only the relay knows that they cannot work. */
const BLOCKED: Readonly<Record<string, Blocked>> = {
  undefined_variable: {
    config: { ...KAFKA, brokers: "${env:KAFKA_NOT_SET}" },
    reason: /\$\{env:KAFKA_NOT_SET\} in brokers: the relay's environment has no variable KAFKA_NOT_SET/,
  },
  useless_variable: {
    config: { ...KAFKA, brokers: "${env:KAFKA_NONSENSE}" },
    reason: /brokers: the value of "\$\{env:KAFKA_NONSENSE\}", expected a comma-separated list of host:port/,
  },
  variable_not_allowed: {
    config: { ...STDOUT, headers: { home: "${env:HOME}" } },
    reason: /\$\{env:HOME\} in headers\.home: the operator allows KAFKA_\*, .*--allow-env/,
  },
  own_variable: {
    config: { ...STDOUT, headers: { host: "${env:PGHOST}" } },
    reason: /\$\{env:PGHOST\} in headers\.host: variables PG\* are the relay's own/,
  },
  file_not_allowed: {
    config: { ...STDOUT, headers: { users: "${file:/etc/passwd}" } },
    reason: /headers\.users: file "\/etc\/passwd" is not allowed, expected .*--allow-file/,
  },
  no_file: {
    config: { ...KAFKA, tls_enabled: true, tls_ca_cert: "/etc/certs/not-there.pem" },
    reason: /tls_ca_cert: .*"\/etc\/certs\/not-there\.pem".*there is no such file/,
  },
  bad_filter: {
    config: { ...STDOUT, transform: { filter: "total >> `100`" } },
    reason: /Cannot use transform\.filter: .* at character \d+, expected a JMESPath expression/,
  },
  unknown_function: {
    config: { ...STDOUT, transform: { payload: "{sum: summ(items)}" } },
    reason: /Cannot use transform\.payload: unknown function summ\(\)/,
  },
  no_topic_name: {
    config: { ...KAFKA, topic: "orders and more" },
    reason: /Cannot use topic: "orders and more", expected at most 249 letters/,
  },
};

Deno.test("what only the relay can know stands in status, and a correction takes effect at once", async (t) => {
  await withRelay(async (deployment, relay) => {
    for (const [name, { config }] of Object.entries(BLOCKED)) {
      await deployment.addPipeline(name, config);
      await deployment.publish(name, { name, delivered: true });
    }
    for (const [name, { reason }] of Object.entries(BLOCKED)) {
      await t.step(name, async () => {
        const error = await deployment.fails(name, "blocked");
        assert.equal(error.code, "CONFIGURATION");
        assert.match(error.reason, reason);
        assert.match(error.advice ?? "", /^Correct /);
        assert.ok(error.since !== null && Math.abs(Date.now() - Date.parse(error.since)) < 600_000);
        const said = (await relay.log()).split("\n").find((line) => line.includes(`pipeline=${name} `));
        assert.match(said ?? "", new RegExp(`ERROR Blocked pipeline=${name} code=CONFIGURATION reason="`));
      });
    }
    await deployment.healthyGoesOn(relay);
    for (const name of Object.keys(BLOCKED)) await deployment.configure(name, STDOUT);
    for (const name of Object.keys(BLOCKED)) {
      await deployment.reaches(name, "idle");
      assert.match(await relay.log(), new RegExp(`"value":\\{"name": "${name}", "delivered": true\\}`));
      assert.equal(await deployment.deadLetters(name), 0);
    }
  });
});

/** What cannot be published, with what it is answered. */
const UNPUBLISHABLE: Readonly<
  Record<string, readonly [sql: string, code: string, message: RegExp, hint: RegExp]>
> = {
  "payload NULL": [
    "SELECT tide.outbox_publish('orders', NULL)",
    "TD003",
    /^Cannot publish to outbox "orders": the payload is NULL, expected a jsonb value$/,
    /'null'::jsonb/,
  ],
  "unknown outbox": [
    "SELECT tide.outbox_publish('ordres', '{}')",
    "TD001",
    /^Cannot publish: there is no outbox "ordres" for role "\w+"$/,
    /Check the name.*tide\.outbox_create.*tide\.grant_publish/,
  ],
  "unknown op": [
    "SELECT tide.outbox_publish('orders', '{}', p_op => 'upsert')",
    "TD004",
    /^Cannot publish to outbox "orders": op is 'upsert', expected insert, update, delete, read/,
    /Leave p_op out for an insert/,
  ],
  "headers that are no strings": [
    `SELECT tide.outbox_publish('orders', '{}', p_headers => '{"attempt": 1}')`,
    "TD005",
    /^Cannot publish to outbox "orders": headers .*expected an object of strings$/,
    /\{"attempt": "1"\}/,
  ],
  "one of many": [
    `SELECT tide.outbox_publish_many('orders', '[{"payload": {}}, {"dedup_key": "k"}]')`,
    "TD003",
    /^Cannot publish to outbox "orders", message 1 of the array: the payload is NULL/,
    /'null'::jsonb/,
  ],
  "disabled outbox": [
    "SELECT tide.outbox_publish('closed', '{}')",
    "TD002",
    /^Cannot publish to outbox "closed": the outbox is disabled$/,
    /SELECT tide\.outbox_enable\('closed'\)/,
  ],
};

Deno.test("publishing what cannot be a message is refused, and rolls its transaction back", async (t) => {
  await withRelay(async (deployment, relay) => {
    await deployment.addPipeline("orders", STDOUT);
    await deployment.sql`SELECT tide.outbox_create('closed')`;
    await deployment.sql`SELECT tide.outbox_disable('closed')`;
    for (const [name, [statement, code, message, hint]] of Object.entries(UNPUBLISHABLE)) {
      await t.step(name, async () => {
        const transaction = deployment.sql.begin(async (sql) => {
          await sql`SELECT tide.outbox_publish('orders', '{"never": true}')`;
          await sql.unsafe(statement);
        });
        const refused = await refusal(transaction);
        assert.equal(refused.code, code);
        assert.match(refused.message, message);
        assert.match(refused.hint, hint);
      });
    }
    await deployment.publish("orders", null);
    await deployment.reaches("orders", "idle");
    await deployment.healthyGoesOn(relay);
    const log = await relay.log();
    assert.match(log, /"topic":"orders",.*"value":null\}/);
    assert.doesNotMatch(log, /never/);
  });
});
