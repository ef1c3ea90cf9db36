/**
 * Runs the README's code blocks as they stand. `tests/tidy/readme_blocks.ts` says which block is run where.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { readTopic, textOf } from "../support/consume.ts";
import { ReadmeStage } from "../support/readme_stage.ts";
import { waitUntil } from "../support/wait.ts";

/** The schema, and the role of the relay. */
async function install(stage: ReadmeStage): Promise<void> {
  assert.match(await stage.command("install"), /^The schema tide is now version \d+\n$/);
  await stage.sql("relay-role");
  await stage.sql("orders-table");
  await stage.sql("set-up-the-outbox");
}

/** What `status` says of a pipeline, once it says what is waited for. */
function statusOf(stage: ReadmeStage, pipeline: string, wanted: RegExp): Promise<string> {
  const ask = async () => {
    const lines = (await stage.command("status")).split("\n    ").join(" ").split("\n");
    const line = lines.find((one) => one.startsWith(`${pipeline} `));
    return line !== undefined && wanted.test(line) && line;
  };
  return waitUntil(ask, { what: `${pipeline} to be ${wanted}`, timeoutMs: 60_000, intervalMs: 200 });
}

/** The records of a topic, once there are so many. */
async function recordsOf({ kafka }: ReadmeStage, topic: string, count: number) {
  await waitUntil(async () => {
    const offsets = await kafka.offsets(topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0) >= count;
  }, { what: `${count} records in ${topic}`, timeoutMs: 60_000 });
  return (await readTopic(kafka.brokers, topic)).map(textOf);
}

Deno.test("the README's complete example delivers its message, and its operations work", async () => {
  await using stage = await ReadmeStage.open();
  assert.match(await stage.command("from-source"), /^Usage: pg-tide/);
  await install(stage);
  const topic = await stage.createTopic("order-events");
  await stage.sql("publish");
  await stage.sql("configure-the-pipeline");
  await using relay = await stage.relay("start-the-relay");
  const [order] = (await stage.command("verify")).trim().split("\n");
  assert.deepEqual(JSON.parse(order!), {
    event_type: "order.confirmed",
    order_id: "ord-12345",
    customer_id: "cust-789",
    total: 99.99,
    items: [{ sku: "WIDGET-A", qty: 2 }],
  });
  await statusOf(stage, "orders-to-kafka", /idle +0 /);
  const [message] = await recordsOf(stage, topic, 1);
  assert.equal(message!.key, "ord-12345");
  assert.deepEqual(Object.keys(message!.headers), ["pg_tide_outbox", "pg_tide_op", "pg_tide_id"]);

  await stage.sql("publish-more");
  const more = await recordsOf(stage, topic, 4);
  assert.deepEqual(more.map(({ key, headers }) => [key, headers["pg_tide_op"]]), [
    ["ord-12345", "insert"],
    ["ord-12345", "update"],
    ["ord-12346", "insert"],
    ["ord-12345", "delete"],
  ]);
  const [group] = await stage.sql("operate");
  assert.deepEqual([group!["consumer_group"], group!["enabled"]], ["kafka-relay", true]);
  await stage.sql("roles");
  assert.equal(await relay.stop(), 0);
});

Deno.test("the README's dead letters are found, sent again and discarded", async () => {
  await using stage = await ReadmeStage.open();
  await install(stage);
  const topic = await stage.createTopic("order-events");
  await stage.sql("configure-the-pipeline");
  const example = await stage.query("SELECT tide.relay_get_config('orders-to-kafka') AS config");
  const set = (config: unknown) =>
    stage.query(
      `SELECT tide.relay_set_outbox('orders-to-kafka', 'orders', 'kafka-relay', '${JSON.stringify(config)}')`,
    );
  await set({ ...example[0]!["config"] as object, topic: `${topic}{payload.suffix}` });
  await stage.sql("publish");
  await using _relay = await stage.relay("start-the-relay");
  const letters = () => stage.query("SELECT code FROM tide.dlq_list('orders-to-kafka')");
  const dead = await waitUntil(async () => {
    const found = await letters();
    return found.length > 0 && found;
  }, { what: "a dead letter" });
  assert.deepEqual(dead, [{ code: "TEMPLATE_VALUE_MISSING" }]);
  assert.match(await stage.command("dead-letters"), /orders-to-kafka .* route +TEMPLATE_VALUE_MISSING /);
  const [discarded] = await stage.sql("dead-letters-in-sql");
  assert.equal(Number(discarded!["dlq_discard"]), 0, "no message was too large");
  await waitUntil(async () => {
    const [retry] = await stage.query("SELECT state, refused::int FROM tide.dlq_retries()");
    return retry!["state"] === "finished" && retry!["refused"] === 1;
  }, { what: "the letter to be refused again" });

  await set(example[0]!["config"]);
  assert.match(await stage.command("retry-dead-letters"), /^Retry 2 is done: 1 of 1 delivered\.$/m);
  const [record] = await recordsOf(stage, topic, 1);
  assert.equal(record!.key, "ord-12345");
  assert.equal(JSON.parse(record!.value!).order_id, "ord-12345");
  assert.equal(record!.headers["pg_tide_retry"], "2");
  assert.deepEqual(await letters(), []);
});

Deno.test("the README's configurations are accepted, and do what it says", async () => {
  await using stage = await ReadmeStage.open();
  await install(stage);
  await stage.sql("configure-the-pipeline");
  await stage.sql("production-configuration");
  const topic = await stage.createTopic("orders.", "unknown");
  await stage.sql("nested-configuration");
  await stage.query("SELECT tide.relay_enable('large-orders')");
  await using _relay = await stage.relay("start-the-relay");
  await statusOf(stage, "orders-to-kafka", /blocked .*CONFIGURATION.*KAFKA_BROKERS/);
  await statusOf(stage, "large-orders", /idle/);
  await stage.query(`SELECT tide.outbox_publish('orders', '{"order_id": "small", "total": 1}')`);
  await stage.sql("publish");
  const [record] = await recordsOf(stage, topic, 1);
  const { payload, outbox, op } = JSON.parse(record!.value!);
  assert.deepEqual({ payload, outbox, op }, {
    payload: { id: "ord-12345", customer: "cust-789", region: null, total: 99.99 },
    outbox: "orders",
    op: "insert",
  });
  assert.deepEqual([record!.key, record!.headers["source"], record!.headers["pg_tide_dedup_key"]], [
    "cust-789",
    "orders-service",
    "ord-12345",
  ]);

  await Deno.writeTextFile(join(stage.folder, "settings.json"), await stage.text("settings-file"));
  stage.replace('--postgres-url "postgresql://relay_user:password@', '--config settings.json # "');
  assert.match(await stage.command("status"), /large-orders +orders +analytics +kafka +idle/);
});

Deno.test("the README's sink passes the suite, and delivers", async () => {
  await using stage = await ReadmeStage.open();
  await install(stage);
  const bodies: unknown[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    bodies.push(await request.json());
    return new Response();
  });
  stage.replace("localhost:8080", `127.0.0.1:${server.addr.port}`);
  await Deno.writeTextFile(join(stage.folder, "webhook.js"), await stage.text("webhook"));
  assert.match(await stage.command("test-webhook"), /\n[1-9]\d* passed, 0 failed\n$/);
  bodies.length = 0;

  await using _relay = await stage.relay("run-webhook");
  await stage.sql("configure-webhook");
  await stage.sql("publish");
  const [body] = await waitUntil(() => bodies.length > 0 && bodies, { what: "a request" }) as {
    value: string;
  }[][];
  assert.equal(body!.length, 1);
  assert.equal(JSON.parse(body![0]!.value).order_id, "ord-12345");
  await statusOf(stage, "orders-to-webhook", /webhook +idle/);
});
