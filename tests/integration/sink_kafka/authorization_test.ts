/**
 * What users may not do at a real broker: who is told to be allowed what, and that the sink goes on as soon as it is.
 */

import assert from "node:assert/strict";
import type { Fault, Json } from "@pg-tide/sdk";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import type { DeliveryState } from "../../../src/record/state.ts";
import { runCommand } from "../../support/command.ts";
import { readTopic, textOf } from "../../support/consume.ts";
import { allow } from "../../support/kafka_rights.ts";
import { LIMITED_USER, type SecureKafka, secureKafka, startSecureKafka } from "../../support/kafka_secure.ts";
import { Delivery, kafkaConfig, openInProcess, openKafkaSink } from "../../support/kafka_sink.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

type Fields = Readonly<Record<string, Json>>;

const PRINCIPAL = `User:${LIMITED_USER.username}`;

/** The sink's fields for a user who may do nothing. */
function limited({ listeners }: SecureKafka): Fields {
  return {
    brokers: listeners.SASL_PLAINTEXT,
    sasl_mechanism: "SCRAM-SHA-256",
    sasl_username: LIMITED_USER.username,
    sasl_password: LIMITED_USER.password,
    linger_ms: 0,
  };
}

/** Wait until the pipeline is in another trouble than before. */
async function nextBlock(
  delivery: Delivery,
  before?: string,
): Promise<Extract<DeliveryState, { state: "blocked" }>> {
  return await waitUntil(() => {
    delivery.poke();
    const state = delivery.states.at(-1);
    return state?.state === "blocked" && state.reason !== before ? state : undefined;
  }, { what: "the delivery to be blocked", timeoutMs: 60_000 });
}

/** Wait until everything is delivered. */
async function drained(delivery: Delivery): Promise<void> {
  let isDrained = false;
  const done = delivery.drained().then(() => isDrained = true);
  await waitUntil(() => {
    delivery.poke();
    return isDrained;
  }, { what: "the delivery to go on", timeoutMs: 60_000, intervalMs: 100 });
  await done;
}

Deno.test("the Kafka sink says which right on which topic it lacks, and goes on when it is granted", async () => {
  const secure = await secureKafka();
  const { brokers } = secure.kafka;
  await using topic = await testTopic(secure.kafka, 1);
  const acl =
    `kafka-acls --add --allow-principal ${PRINCIPAL} --operation Write --operation Describe --topic ${topic.name}`;
  // In its Worker: that it needs no other one is part of what is shown.
  await using delivery = new Delivery(await openKafkaSink(limited(secure)));
  await delivery.offer(topic.name, [{ value: "patient" }]);

  const describe = await nextBlock(delivery);
  assert.equal(describe.code, "TOPIC_AUTHORIZATION_FAILED");
  assert.match(
    describe.reason,
    new RegExp(`^Cannot describe topic "${topic.name}": TOPIC_AUTHORIZATION_FAILED`),
  );
  assert.ok(
    describe.advice.startsWith(`Allow ${PRINCIPAL} the operation Describe on topic "${topic.name}": ${acl}`),
    describe.advice,
  );
  assert.match(describe.advice, /--operation Create, if the topic does not exist/);

  await using _describe = await allow(brokers, {
    principal: PRINCIPAL,
    operation: "DESCRIBE",
    topic: topic.name,
  });
  const write = await nextBlock(delivery, describe.reason);
  assert.equal(write.code, "TOPIC_AUTHORIZATION_FAILED");
  assert.match(
    write.reason,
    new RegExp(`^Cannot write to topic "${topic.name}": TOPIC_AUTHORIZATION_FAILED`),
  );
  assert.equal(write.advice, `Allow ${PRINCIPAL} the operation Write on topic "${topic.name}": ${acl}`);

  await using _write = await allow(brokers, { principal: PRINCIPAL, operation: "WRITE", topic: topic.name });
  await drained(delivery);
  assert.deepEqual((await readTopic(brokers, topic.name)).map((record) => textOf(record).value), ["patient"]);
  assert.deepEqual(delivery.letters, []);
});

Deno.test("the Kafka sink says what an idempotent producer must be allowed", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 1);
  const principal = PRINCIPAL;
  const fields = { ...limited(secure), idempotent: true };
  const opening = async () => {
    const opened = await openSink(kafkaConfig(fields)).catch(({ fault }) => ({ fault: fault as Fault }));
    if ("fault" in opened) return opened.fault;
    await opened.close();
    return undefined;
  };
  // What was granted before may be in force for a moment more.
  const refusal = () => waitUntil(opening, { what: "the sink to be refused" });
  const refused = await refusal();
  assert.ok(refused.kind === "configuration", JSON.stringify(refused));
  assert.equal(refused.code, "CLUSTER_AUTHORIZATION_FAILED");
  assert.match(
    refused.reason,
    /^Cannot get a producer id: CLUSTER_AUTHORIZATION_FAILED, not allowed to write idempotently/,
  );
  assert.equal(
    refused.advice,
    `Allow ${principal} the operation Write on its topics, which is enough since Kafka 2.8, or IdempotentWrite on the cluster: ` +
      `kafka-acls --add --allow-principal ${principal} --operation IdempotentWrite --cluster; or set idempotent to false`,
  );
  for (
    const right of [{ operation: "WRITE", topic: topic.name }, { operation: "IDEMPOTENT_WRITE" }] as const
  ) {
    await refusal();
    await using _right = await allow(secure.kafka.brokers, { principal, ...right });
    await waitUntil(async () => await opening() === undefined, { what: `${right.operation} to be enough` });
  }
});

Deno.test("the Kafka sink calls the holder of its certificate by the name that the broker knows", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 1);
  const subject = { C: "DE", O: 'Müller, Sons + "Co"', OU: "R&D's #1; <x>", CN: "relay one" };
  const { certificate, key } = await secure.issue({ subject, hosts: [] });
  const sink = await openInProcess({
    brokers: secure.listeners.SSL,
    linger_ms: 0,
    tls_enabled: true,
    tls_ca_cert: secure.authority.certificate,
    tls_client_cert: certificate,
    tls_client_key: key,
  });
  await using delivery = new Delivery(sink);
  await delivery.offer(topic.name, [{ value: "patient" }]);
  const { advice } = await nextBlock(delivery);
  const principal = /^Allow (User:.*?) the operation Describe/.exec(advice)?.[1];
  assert.ok(principal !== undefined, advice);
  assert.match(
    advice,
    /With ssl\.principal\.mapping\.rules the brokers know the certificate by another name/,
  );
  const forShell = / --allow-principal (.*?) --operation/.exec(advice)?.[1];
  const { stdout } = await runCommand("sh", ["-c", `printf %s ${forShell}`]);
  assert.equal(new TextDecoder().decode(stdout), principal);
  await using _right = await allow(secure.kafka.brokers, {
    principal,
    operation: "WRITE",
    topic: topic.name,
  });
  await drained(delivery);
});

Deno.test("the Kafka sink says that brokers which create topics want the right to that, too", async () => {
  await using secure = await startSecureKafka({ settings: { "auto.create.topics.enable": "true" } });
  const topic = `created-${crypto.randomUUID()}`;
  const mayWrite = { principal: PRINCIPAL, operation: "WRITE", topic } as const;
  await using _write = await allow(secure.kafka.brokers, mayWrite);
  await using delivery = new Delivery(await openInProcess(limited(secure)));
  await delivery.offer(topic, [{ value: "patient" }]);
  const { code, advice } = await nextBlock(delivery);
  assert.equal(code, "TOPIC_AUTHORIZATION_FAILED");
  assert.match(
    advice,
    /and --operation Create, if the topic does not exist and the brokers create topics by themselves$/,
  );
  await using _create = await allow(secure.kafka.brokers, { ...mayWrite, operation: "CREATE" });
  await drained(delivery);
});
