import assert from "node:assert/strict";
import type { Answer } from "../../../plugins/sdk/mod.ts";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import { SYSTEM_CLOCK } from "../../../plugins/sink_kafka/clock.ts";
import { readTopic } from "../../support/consume.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { quietClient } from "../../support/kafka_admin.ts";
import { Delivery, kafkaConfig, openInProcess, openKafkaSink, recordPage } from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

Deno.test("the Kafka sink is blocked by a missing topic, says how to create it, and goes on when it is there", async () => {
  const kafka = await sharedKafka();
  const name = `missing-${crypto.randomUUID()}`;
  const records = new NumberedRecords();
  await using delivery = new Delivery(await openKafkaSink({ brokers: kafka.brokers, idempotent: true }));
  for (let page = 0; page < 3; page++) await delivery.offer(name, records.take(40)).catch(() => {});
  const state = await waitUntil(() => delivery.states[0], { what: "the pipeline's state" });
  assert.equal(state.state, "blocked");
  assert.ok("advice" in state);
  assert.equal(state.code, "UNKNOWN_TOPIC_OR_PARTITION");
  assert.match(state.reason, /^Topic does not exist: "missing-[^"]*"$/);
  assert.match(
    state.advice,
    new RegExp(`kafka-topics --create --topic ${name} --partitions 6 --replication-factor 3`),
  );
  assert.match(
    state.advice,
    /auto\.create\.topics\.enable=true on the cluster \(not recommended for production\)/,
  );
  await kafka.createTopic(name, 2);
  delivery.poke();
  await delivery.drained();
  assert.deepEqual(delivery.letters, []);
  records.assertExactlyOnce(await readTopic(kafka.brokers, name));
  await kafka.deleteTopic(name);
});

Deno.test("the Kafka sink waits a moment for a topic that is on its way, and lets no later page overtake", async () => {
  const kafka = await sharedKafka();
  await using known = await testTopic(kafka, 1);
  const late = `late-${crypto.randomUUID()}`;
  const sink = await openSink(kafkaConfig({ brokers: kafka.brokers, linger_ms: 0 }));
  await sink.deliver(recordPage(known.name, [{ value: "first" }]), 1);
  const order: string[] = [];
  const note = (name: string) => (answer: Answer) => {
    assert.deepEqual([...answer.delivered], [0, 1]);
    order.push(name);
  };
  const answers = [
    sink.deliver(recordPage(late, [{ value: "a" }]), 1).then(note("late")),
    sink.deliver(recordPage(known.name, [{ value: "b" }]), 1).then(note("known")),
  ];
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(await known.count(), 1, "the page behind the one that waits is not sent");
  await kafka.createTopic(late, 1);
  await Promise.all(answers);
  assert.deepEqual(order.toSorted(), ["known", "late"]);
  await sink.close();
  await kafka.deleteTopic(late);
});

Deno.test("the Kafka sink notices that a topic got more partitions", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  // What is asked every five minutes is asked every 50 ms here.
  const clock = {
    ...SYSTEM_CLOCK,
    after: (ms: number, call: () => void) => SYSTEM_CLOCK.after(ms >= 300_000 ? 50 : ms, call),
  };
  const sink = await openSink(kafkaConfig({ brokers: kafka.brokers, linger_ms: 0 }), clock);
  const spread = async () => {
    const drafts = Array.from({ length: 50 }, (_, i) => ({ key: `key-${i}`, value: "x" }));
    const answer = await sink.deliver(recordPage(topic.name, drafts), 1);
    assert.deepEqual([...answer.delivered], [0, 50]);
    return (await kafka.offsets(topic.name)).filter(({ high }) => high > 0n).length;
  };
  assert.equal(await spread(), 1);
  const admin = quietClient(kafka.brokers).admin();
  await admin.connect();
  await admin.createPartitions({ topicPartitions: [{ topic: topic.name, count: 4 }] });
  await admin.disconnect();
  await waitUntil(async () => await spread() === 4, { what: "records in the new partitions" });
  await sink.close();
});

Deno.test("the Kafka sink takes new secrets without losing or repeating anything", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 4);
  const records = new NumberedRecords();
  const config = kafkaConfig({ brokers: kafka.brokers, compression: "zstd" });
  const sink = await openSink(config);
  const answers: Promise<Answer>[] = [];
  for (let page = 0; page < 40; page++) {
    answers.push(sink.deliver(recordPage(topic.name, records.take(500)), 1));
    if (page % 10 === 5) await sink.reconfigure(config);
    if (page % 4 === 3) await Promise.all(answers);
  }
  await Promise.all(answers);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
  await assert.rejects(
    sink.reconfigure(kafkaConfig({ brokers: kafka.brokers, acks: "1" })),
    /more than secrets/,
  );
  await sink.close();
});

Deno.test("the Kafka sink goes on when its topic is deleted and created again", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 3);
  await using delivery = new Delivery(
    await openInProcess({ brokers: kafka.brokers, idempotent: true, linger_ms: 0 }),
  );
  await delivery.offer(topic.name, new NumberedRecords().take(100));
  await delivery.drained();
  await kafka.deleteTopic(topic.name);
  const records = new NumberedRecords({ prefix: "again" });
  await delivery.offer(topic.name, records.take(100)).catch(() => {});
  await kafka.createTopic(topic.name, 2);
  delivery.poke();
  await delivery.drained();
  records.assertInOrder(await readTopic(kafka.brokers, topic.name));
});
