import assert from "node:assert/strict";
import { type RecordPage } from "../../../plugins/sdk/mod.ts";
import { readTopic, type TopicRecord } from "../../support/consume.ts";
import { type SharedKafka, sharedKafka } from "../../support/kafka.ts";
import {
  Delivery,
  openInProcess,
  openKafkaSink,
  recordPage,
  type TestSink,
} from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { testTopic } from "../../support/test_topic.ts";

const DECODER = new TextDecoder();

/** Deliver one page, of which every record must arrive. */
async function deliver(sink: TestSink, page: RecordPage): Promise<void> {
  const answer = await sink.deliver(page, 1);
  assert.deepEqual({ ...answer, delivered: [...answer.delivered] }, {
    delivered: [0, page.count],
    rejected: [],
    failed: [],
  });
}

/** The batches of a partition, from Kafka's own dump of its log. */
async function batchesOf(kafka: SharedKafka, topic: string, partition = 0) {
  const dump = await kafka.dumpLog(topic, partition);
  return [
    ...dump.matchAll(/^baseOffset: .* count: (\d+) .* producerEpoch: (-?\d+) .* compresscodec: (\w+)/gm),
  ]
    .map(([, count, epoch, codec]) => ({ count: Number(count), epoch: Number(epoch), codec }));
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : DECODER.decode(bytes);
}

Deno.test("the Kafka sink writes key, value, headers and timestamp as they were given", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  const createdMs = Date.now() - 1_234_567;
  const drafts = [
    {
      key: "k",
      value: '{"a":1}',
      headers: [["pg_tide_op", "insert"], ["größe", "東京"], ["none", null]] as const,
      createdMs: createdMs + 0.75,
    },
    { key: "", value: "", createdMs: createdMs - 5_000 },
    { key: null, value: null, createdMs },
  ];
  const sink = await openInProcess({ brokers: kafka.brokers });
  await deliver(sink, recordPage(topic.name, drafts));
  await sink.close();
  const read = (await readTopic(kafka.brokers, topic.name)).map(({ key, value, headers, timestamp }) => ({
    key: text(key),
    value: text(value),
    headers: headers.map(([name, bytes]) => [name, text(bytes)]),
    timestamp,
  }));
  assert.deepEqual(read, [
    {
      key: "k",
      value: '{"a":1}',
      headers: [["pg_tide_op", "insert"], ["größe", "東京"], ["none", null]],
      timestamp: createdMs,
    },
    { key: "", value: "", headers: [], timestamp: createdMs - 5_000 },
    { key: null, value: null, headers: [], timestamp: createdMs },
  ]);
});

Deno.test('the Kafka sink with timestamp "now" writes when a record is sent', async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  const sink = await openInProcess({ brokers: kafka.brokers, timestamp: "now" });
  const before = Date.now();
  await deliver(sink, recordPage(topic.name, [{ value: "x", createdMs: 0 }]));
  await sink.close();
  const [record] = await readTopic(kafka.brokers, topic.name);
  assert.ok(record!.timestamp >= before && record!.timestamp <= Date.now());
});

Deno.test("the Kafka sink makes batches of batch_size records", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  const sink = await openInProcess({
    brokers: kafka.brokers,
    batch_size: 100,
    linger_ms: 1_000,
    compression: "zstd",
    idempotent: true,
  });
  const records = new NumberedRecords();
  await using delivery = new Delivery(sink);
  await delivery.offer(topic.name, records.take(130));
  await delivery.offer(topic.name, records.take(170));
  await delivery.drained();
  const batches = await batchesOf(kafka, topic.name);
  assert.deepEqual(batches, Array.from({ length: 3 }, () => ({ count: 100, epoch: 0, codec: "zstd" })));
});

Deno.test("the Kafka sink sends a batch that is not full when linger_ms is over, and keeps max_request_size", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  const records = new NumberedRecords({ fill: 1_000 });
  const sink = await openInProcess({
    brokers: kafka.brokers,
    batch_size: 1_000,
    linger_ms: 50,
    max_request_size: 10_000,
  });
  await using delivery = new Delivery(sink);
  await delivery.offer(topic.name, records.take(20));
  const start = performance.now();
  await delivery.drained();
  assert.ok(performance.now() - start < 5_000, "the last batch did not wait for more records");
  const batches = await batchesOf(kafka, topic.name);
  assert.deepEqual(batches.map(({ count }) => count), [9, 9, 2]);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

Deno.test("the Kafka sink spreads records without a key over the partitions, a batch at a time", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 3);
  const sink = await openInProcess({ brokers: kafka.brokers, batch_size: 50, linger_ms: 0 });
  await deliver(sink, recordPage(topic.name, Array.from({ length: 1_000 }, (_, i) => ({ value: `${i}` }))));
  await sink.close();
  const counts = new Map<number, number>();
  for (const { partition } of await readTopic(kafka.brokers, topic.name)) {
    counts.set(partition, (counts.get(partition) ?? 0) + 1);
  }
  assert.equal(counts.size, 3);
  assert.ok([...counts.values()].every((count) => count >= 100), JSON.stringify([...counts]));
});

Deno.test("the Kafka sink puts keys where Kafka's own producer puts them", async () => {
  const kafka = await sharedKafka();
  await using ours = await testTopic(kafka, 7);
  await using theirs = await testTopic(kafka, 7);
  const keys = Array.from({ length: 2_000 }, (_, i) => `${"é東k".charAt(i % 3)}${"x".repeat(i % 11)}${i}`);
  const sink = await openKafkaSink({ brokers: kafka.brokers, batch_size: 1_000 });
  await deliver(sink, recordPage(ours.name, keys.map((key) => ({ key, value: "v" }))));
  await sink.close();
  await kafka.tools.consoleProducer(theirs.name, keys.map((key) => `${key}\tv\n`).join(""));
  const partitions = (records: readonly TopicRecord[]) =>
    new Map(records.map(({ key, partition }) => [text(key), partition]));
  const expected = partitions(await readTopic(kafka.brokers, theirs.name));
  assert.equal(expected.size, keys.length);
  assert.deepEqual(partitions(await readTopic(kafka.brokers, ours.name)), expected);
});
