import { strict as assert } from "node:assert";
import driver from "postgres";
import {
  CONFIGURE_THE_PIPELINE,
  ORDERS_TABLE,
  PIPELINE,
  PUBLISH_MESSAGES,
  SET_UP_THE_OUTBOX,
  TOPIC,
} from "../demo/complete_example.ts";
import { readTopicByJava, textOf } from "../support/consume.ts";
import { type KafkaServer, startKafka } from "../support/kafka.ts";
import { AUTHENTICATION, MINIMAL, PRODUCTION } from "../support/page_configurations.ts";
import { type PostgresServer, sharedPostgres, startPostgres } from "../support/postgres.ts";
import { COMPILED, RelayProcess } from "../support/relay_process.ts";
import { waitUntil } from "../support/wait.ts";
import { Deployment, type Outcome, pgTide } from "./deployment.ts";

/** The page's command has this URL, but for host and port. */
async function createTheDatabase(postgres: PostgresServer): Promise<string> {
  const administrator = driver(postgres.url(), { max: 1 });
  try {
    await administrator.unsafe("CREATE ROLE relay_user LOGIN PASSWORD 'password'");
    await administrator.unsafe("CREATE DATABASE mydb OWNER relay_user");
  } finally {
    await administrator.end();
  }
  return `postgresql://relay_user:password@127.0.0.1:${postgres.port}/mydb`;
}

function assertGood({ code, err }: Outcome): void {
  assert.equal(code, 0, err);
}

Deno.test("the page's complete example, step by step, is read back by Kafka's own console consumer", async () => {
  await using postgres = await startPostgres({ version: 18 });
  await using kafka = await startKafka();
  await kafka.createTopic(TOPIC, 6);
  const url = await createTheDatabase(postgres);
  assertGood(await pgTide(["install", "--postgres-url", url]));
  // The scripts have transactions of their own, which the driver allows on a single connection only.
  const sql = driver(url, { max: 1, onnotice: () => {} });
  try {
    const run = (script: string) => sql.unsafe(script).simple();
    await run(ORDERS_TABLE);
    await run(SET_UP_THE_OUTBOX);
    await run(PUBLISH_MESSAGES);
    await run(CONFIGURE_THE_PIPELINE.replace("kafka:9092", kafka.brokers));
    await using relay = await RelayProcess.start(COMPILED, ["--postgres-url", url]);
    await relay.ready();
    await verifyMessagesArrive(kafka, 1);
    await reachesIdle(url);

    await run(PUBLISH_MESSAGES);
    await run("BEGIN; SELECT tide.outbox_publish('orders', '{}', 'never'); ROLLBACK");
    await verifyMessagesArrive(kafka, 2);
    await reachesIdle(url);
    assert.equal(await relay.stop(), 0);
    const [orders] = await sql`SELECT count(*)::integer AS n FROM orders`;
    assert.equal(orders?.["n"], 2);
  } finally {
    await sql.end();
  }
  await verifyRecords(kafka);
  await verifyBatches(kafka);
});

/** The page's command, with an end. */
async function verifyMessagesArrive(kafka: KafkaServer, count: number): Promise<void> {
  const payload = {
    event_type: "order.confirmed",
    order_id: "ord-12345",
    customer_id: "cust-789",
    total: 99.99,
    items: [{ sku: "WIDGET-A", qty: 2 }],
  };
  const values = (await kafka.consoleConsumer(TOPIC, { maxMessages: count })).trimEnd().split("\n");
  assert.deepEqual(values.map((value) => JSON.parse(value)), Array.from({ length: count }, () => payload));
}

/** What the page's section "Message Format" promises besides. */
async function verifyRecords(kafka: KafkaServer): Promise<void> {
  const records = (await readTopicByJava(kafka.tools, kafka.brokers, TOPIC)).map(textOf);
  assert.equal(records.length, 2, "one record for each message that was committed");
  for (const { key, headers, timestamp } of records) {
    assert.equal(key, "ord-12345");
    assert.deepEqual([headers["pg_tide_outbox"], headers["pg_tide_op"]], ["orders", "insert"]);
    assert.ok(Math.abs(Date.now() - timestamp) < 600_000, "when the message was published");
  }
}

/** `compression` and `idempotent`, as the broker has stored them. */
async function verifyBatches(kafka: KafkaServer): Promise<void> {
  const [partition] = (await kafka.offsets(TOPIC)).filter(({ high }) => high > 0n);
  const log = await kafka.dumpLog(TOPIC, partition!.partition);
  const batches = log.split("\n").filter((line) => line.startsWith("baseOffset:"));
  assert.equal(batches.length, 2, log);
  for (const batch of batches) assert.match(batch, /producerId: \d+ .*compresscodec: zstd/i);
}

async function reachesIdle(url: string): Promise<void> {
  await waitUntil(async () => {
    const outcome = await pgTide(["status", "--postgres-url", url]);
    assertGood(outcome);
    return new RegExp(`^${PIPELINE} +orders +kafka-relay +kafka +idle +0 +0\\.0 s +0$`, "m").test(
      outcome.out,
    );
  }, { what: "status to show an idle pipeline", timeoutMs: 60_000, intervalMs: 200 });
}

Deno.test("the page's other configurations are accepted as they stand", async (t) => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  const { sql } = deployment;
  await sql`SELECT tide.outbox_create('orders')`;
  for (const [name, statement] of Object.entries({ MINIMAL, PRODUCTION })) {
    await t.step(name, async () => {
      await sql.unsafe(statement);
      const { state, sink_type, group } = await deployment.pipeline("orders-to-kafka");
      assert.deepEqual([state, sink_type, group], ["paused", "kafka", "kafka-relay"]);
    });
  }
  for (const [heading, config] of Object.entries(AUTHENTICATION)) {
    await t.step(heading, async () => {
      await sql`SELECT tide.relay_set_outbox('orders-to-kafka', 'orders', 'kafka-relay', ${config}::text::jsonb)`;
    });
  }
});
