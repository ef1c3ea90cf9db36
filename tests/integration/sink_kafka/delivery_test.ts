import assert from "node:assert/strict";
import { readTopic, readTopicByJava } from "../../support/consume.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { Delivery, openInProcess, openKafkaSink, type TestSink } from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const MODES = [["0", false], ["1", false], ["all", false], ["all", true]] as const;

/** Deliver some pages of records, without any trouble. */
async function deliverAll(sink: TestSink, topic: string, records: NumberedRecords): Promise<void> {
  await using delivery = new Delivery(sink);
  for (const count of [1, 700, 3, 1_500, 250]) await delivery.offer(topic, records.take(count));
  await delivery.drained();
  assert.deepEqual(delivery.states, []);
  assert.deepEqual(delivery.letters, []);
}

Deno.test("KafkaSink delivers everything in order with every codec, acks, idempotent or not", async (t) => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 4);
  const sets: NumberedRecords[] = [];
  for (const compression of CODECS) {
    for (const [acks, idempotent] of MODES) {
      const prefix = `${compression}, acks ${acks}${idempotent ? ", idempotent" : ""}`;
      await t.step(prefix, async () => {
        const records = new NumberedRecords({ prefix });
        const sink = await openInProcess({ brokers: kafka.brokers, compression, acks, idempotent });
        await deliverAll(sink, topic.name, records);
        sets.push(records);
      });
    }
  }
  const expected = sets.reduce((sum, { count }) => sum + count, 0);
  // With acks 0 the broker may still be writing.
  await waitUntil(async () => await topic.count() >= expected, { what: "the broker to write" });
  const read = await readTopicByJava(kafka.tools, kafka.brokers, topic.name);
  assert.equal(read.length, expected);
  for (const records of sets) records.assertExactlyOnce(read);
});

Deno.test("the Kafka sink in its Worker, with its grant, delivers with every codec", async (t) => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 4);
  for (const compression of CODECS) {
    await t.step(compression, async () => {
      const before = await topic.count();
      const records = new NumberedRecords({ prefix: compression });
      await deliverAll(
        await openKafkaSink({ brokers: kafka.brokers, compression, idempotent: true }),
        topic.name,
        records,
      );
      assert.equal(await topic.count() - before, records.count);
    });
  }
});

Deno.test("the Kafka sink goes on in a later generation where it was, and refuses an ended one", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 2);
  const records = new NumberedRecords();
  const sink = await openInProcess({ brokers: kafka.brokers, idempotent: true, linger_ms: 0 });
  {
    await using delivery = new Delivery(sink);
    await delivery.offer(topic.name, records.take(50));
    await delivery.drained();
  }
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});
