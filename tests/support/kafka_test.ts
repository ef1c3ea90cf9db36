import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import kafkajs, { CompressionTypes, type Kafka } from "kafkajs";
import { readTopic, readTopicByJava, textOf } from "./consume.ts";
import { startKafka } from "./kafka.ts";
import { quietClient } from "./kafka_admin.ts";

Deno.test("startKafka() keeps topics and records over a stop and a SIGKILL", async () => {
  await using kafka = await startKafka({ settings: { "message.max.bytes": "5000" } });
  await kafka.createTopic("events", 3, { "retention.ms": "-1" });
  await produce(quietClient(kafka.brokers), "events", "before");
  await kafka.restart();
  await produce(quietClient(kafka.brokers), "events", "between");
  await kafka.kill();
  await kafka.start();
  await assert.rejects(produce(quietClient(kafka.brokers), "events", "x".repeat(6000)), /too large|larger/i);
  const records = (await readTopic(kafka.brokers, "events")).map(textOf);
  assert.deepEqual(records.map(({ value }) => value).toSorted(), ["before", "between"]);
  assert.match(
    await kafka.dumpLog("events", records[0]?.partition ?? 0),
    /baseOffset: 0 .*codec|compresscodec/,
  );
  await kafka.deleteTopic("events");
  await assert.rejects(readTopic(kafka.brokers, "events"), /does not host this topic-partition/);
});

Deno.test("readTopic() and readTopicByJava() read the same records, as they were written", async () => {
  await using kafka = await startKafka();
  await kafka.createTopic("events", 2);
  await kafka.createTopic("empty", 1);
  const producer = quietClient(kafka.brokers).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const messages = [
    {
      partition: 0,
      key: "k-é",
      value: '{"a":"1\\n2"}\n',
      headers: { name: "wert, ü:=", other: "" },
      timestamp: "1700000000001",
    },
    { partition: 0, key: null, value: "", timestamp: "1700000000002" },
    { partition: 1, key: "gone", value: null, timestamp: "1700000000003" },
  ];
  await producer.send({ topic: "events", messages, compression: CompressionTypes.GZIP });
  await producer.disconnect();
  const expected = [
    {
      partition: 0,
      offset: 0n,
      timestamp: 1700000000001,
      key: "k-é",
      value: '{"a":"1\\n2"}\n',
      headers: { name: "wert, ü:=", other: "" },
    },
    { partition: 0, offset: 1n, timestamp: 1700000000002, key: null, value: "", headers: {} },
    { partition: 1, offset: 0n, timestamp: 1700000000003, key: "gone", value: null, headers: {} },
  ];
  assert.deepEqual((await readTopic(kafka.brokers, "events")).map(textOf), expected);
  assert.deepEqual((await readTopicByJava(kafka.tools, kafka.brokers, "events")).map(textOf), expected);
  assert.deepEqual(await readTopic(kafka.brokers, "empty"), []);
  assert.deepEqual(await readTopicByJava(kafka.tools, kafka.brokers, "empty"), []);
  assert.deepEqual(await kafka.offsets("events"), [
    { partition: 0, low: 0n, high: 2n },
    { partition: 1, low: 0n, high: 1n },
  ]);
  assert.equal(await kafka.consoleConsumer("events", { maxMessages: 3 }), '{"a":"1\\n2"}\n\n\nnull\n');
});

async function produce(client: Kafka, topic: string, value: string): Promise<void> {
  const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await producer.send({ topic, messages: [{ key: "key", value: Buffer.from(value) }] });
  } finally {
    await producer.disconnect();
  }
}
