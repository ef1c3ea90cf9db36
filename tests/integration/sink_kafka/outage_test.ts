import assert from "node:assert/strict";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import { readTopic } from "../../support/consume.ts";
import { type KafkaServer, startKafka } from "../../support/kafka.ts";
import {
  Delivery,
  kafkaConfig,
  openKafkaSink,
  recordPage,
  startKafkaSink,
} from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { freePort } from "../../support/port.ts";

/** Deliver pages while the broker is killed and started again in the middle. */
async function deliverThroughKill(
  delivery: Delivery,
  kafka: KafkaServer,
  topic: string,
  records: NumberedRecords,
) {
  for (let page = 0; page < 20; page++) await delivery.offer(topic, records.take(500));
  const offered = (async () => {
    for (let page = 0; page < 20; page++) await delivery.offer(topic, records.take(500));
  })();
  await kafka.kill();
  await kafka.start();
  await offered;
  await delivery.drained();
}

Deno.test("the Kafka sink when the broker is killed and started again", async (t) => {
  await using kafka = await startKafka({
    settings: { "auto.create.topics.enable": "true", "num.partitions": "3" },
  });
  for (const idempotent of [true, false]) {
    const topic = idempotent ? "idempotent" : "plain";
    await t.step(`${topic}: nothing is lost, order is kept, no dead letters`, async () => {
      await kafka.createTopic(topic, 4);
      const records = new NumberedRecords({ keys: 101 });
      const fields = { brokers: kafka.brokers, idempotent, compression: "zstd", linger_ms: 0 };
      await using delivery = new Delivery(await openKafkaSink(fields));
      await deliverThroughKill(delivery, kafka, topic, records);
      assert.deepEqual(delivery.letters, []);
      const read = await readTopic(kafka.brokers, topic);
      if (idempotent) records.assertExactlyOnce(read);
      else records.assertInOrder(read);
    });
  }
  await t.step("a cluster that creates topics by itself may do so", async () => {
    const records = new NumberedRecords();
    await using delivery = new Delivery(await openKafkaSink({ brokers: kafka.brokers, idempotent: true }));
    await delivery.offer("made-by-itself", records.take(300));
    await delivery.drained();
    assert.deepEqual([delivery.states, delivery.letters], [[], []]);
    records.assertExactlyOnce(await readTopic(kafka.brokers, "made-by-itself"));
    assert.equal((await kafka.offsets("made-by-itself")).length, 3);
  });
  await t.step(
    "an outage that lasts ends the generation: every page is answered, once nothing is in flight",
    async () => {
      await kafka.createTopic("answered", 2);
      const times = { request_timeout_ms: 500, delivery_timeout_ms: 1_500 };
      const sink = await openSink(
        kafkaConfig({ brokers: kafka.brokers, idempotent: true, linger_ms: 0, ...times }),
      );
      const records = new NumberedRecords();
      const [first, second] = [records.take(300), records.take(300)];
      await sink.deliver(recordPage("answered", records.take(0)), 1);
      await kafka.halt();
      const answers = await Promise.all(
        [first, second].map((drafts) => sink.deliver(recordPage("answered", drafts), 1)),
      );
      for (const { fault, delivered } of answers) {
        assert.ok(fault?.kind === "unavailable");
        assert.match(fault.code, /DELIVERY_TIMEOUT|BROKER_UNREACHABLE/);
        assert.equal(delivered.length, 0);
      }
      const refused = await sink.deliver(recordPage("answered", second), 1);
      assert.equal(refused.fault, answers[0]!.fault, "a page of the ended generation gets the same fault");
      await kafka.start();
      for (const drafts of [first, second]) {
        const answer = await sink.deliver(recordPage("answered", drafts), 2);
        assert.deepEqual([...answer.delivered], [0, 300]);
      }
      records.assertExactlyOnce(await readTopic(kafka.brokers, "answered"));
      await sink.close();
    },
  );
});

Deno.test("the Kafka sink says what to check when no broker is there", async () => {
  const brokers = `127.0.0.1:${freePort()}`;
  const opened = await startKafkaSink({ brokers });
  assert.ok("fault" in opened && opened.fault.kind === "unavailable");
  assert.equal(opened.fault.code, "BROKER_UNREACHABLE");
  assert.ok(opened.fault.reason.startsWith(`Cannot reach Kafka broker ${brokers}: `), opened.fault.reason);
  assert.match(opened.fault.reason, /ECONNREFUSED|Connection refused/);
  for (const check of [/addresses are correct and include ports/, /firewall/, /DNS/, /tls_enabled/]) {
    assert.match(opened.fault.reason, check);
  }
});

Deno.test("the Kafka sink says so when a broker's name does not exist", async () => {
  const opened = await startKafkaSink({ brokers: "kafka.invalid:9092" });
  assert.ok("fault" in opened && opened.fault.kind === "unavailable");
  assert.match(
    opened.fault.reason,
    /^Cannot reach Kafka broker kafka\.invalid:9092: .*(ENOTFOUND|EAI_AGAIN|lookup)/,
  );
});
