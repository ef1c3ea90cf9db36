import assert from "node:assert/strict";
import { readTopic } from "../../support/consume.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { Delivery, openInProcess, openKafkaSink, type RecordDraft } from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { testTopic } from "../../support/test_topic.ts";

/** Records with some others put among them, at those positions. */
function amidst(records: readonly RecordDraft[], others: ReadonlyMap<number, RecordDraft>): RecordDraft[] {
  const mixed = [...records];
  for (const [at, other] of others) mixed.splice(at, 0, other);
  return mixed;
}

for (const idempotent of [true, false]) {
  const mode = idempotent ? "idempotent" : "not idempotent";
  Deno.test(`the Kafka sink rejects a record that is too large alone, its neighbours go on in order: ${mode}`, async () => {
    const kafka = await sharedKafka();
    await using topic = await testTopic(kafka, 2, { "max.message.bytes": "20000" });
    const records = new NumberedRecords();
    const large = (key: string): RecordDraft => ({
      key,
      value: crypto.getRandomValues(new Uint8Array(30_000)),
    });
    await using delivery = new Delivery(
      await openKafkaSink({ brokers: kafka.brokers, idempotent, compression: "zstd", batch_size: 500 }),
    );
    await delivery.offer(topic.name, amidst(records.take(2_000), new Map([[700, large("large-1")]])));
    await delivery.offer(
      topic.name,
      amidst(records.take(2_000), new Map([[0, large("large-2")], [1_999, large("large-3")]])),
    );
    await delivery.drained();
    assert.deepEqual(delivery.states, []);
    assert.deepEqual(delivery.letters.map(({ recordKey, code }) => [recordKey, code]).toSorted(), [
      ["large-1", "MESSAGE_TOO_LARGE"],
      ["large-2", "MESSAGE_TOO_LARGE"],
      ["large-3", "MESSAGE_TOO_LARGE"],
    ]);
    assert.match(
      delivery.letters[0]!.reason,
      /Message too large .* 30008 bytes, .* increase max\.message\.bytes .* projection/,
    );
    records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
  });
}

Deno.test("the Kafka sink makes smaller batches for a topic that takes no larger ones", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1, { "max.message.bytes": "5000" });
  const records = new NumberedRecords({ fill: 100 });
  const sink = await openInProcess({ brokers: kafka.brokers, idempotent: true, batch_size: 1_000 });
  await using delivery = new Delivery(sink);
  for (let page = 0; page < 4; page++) await delivery.offer(topic.name, records.take(1_000));
  await delivery.drained();
  assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

Deno.test("the Kafka sink rejects records whose time the topic refuses, and says what helps", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1, { "message.timestamp.after.max.ms": "3600000" });
  const records = new NumberedRecords();
  const early: RecordDraft = { key: "early", value: "x", createdMs: Date.now() + 86_400_000 };
  await using delivery = new Delivery(await openInProcess({ brokers: kafka.brokers, idempotent: true }));
  await delivery.offer(topic.name, amidst(records.take(150), new Map([[50, early], [120, early]])));
  await delivery.drained();
  assert.deepEqual(delivery.letters.map(({ recordKey, code }) => [recordKey, code]), [
    ["early", "INVALID_TIMESTAMP"],
    ["early", "INVALID_TIMESTAMP"],
  ]);
  assert.match(
    delivery.letters[0]!.reason,
    /Set timestamp to "now", or widen message\.timestamp\.before\.max\.ms/,
  );
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

Deno.test("the Kafka sink rejects a record without a key for a compacted topic", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1, { "cleanup.policy": "compact" });
  const records = new NumberedRecords();
  await using delivery = new Delivery(await openInProcess({ brokers: kafka.brokers, idempotent: true }));
  await delivery.offer(topic.name, amidst(records.take(80), new Map([[30, { value: "no key" }]])));
  await delivery.drained();
  assert.deepEqual(delivery.letters.map(({ recordKey, code }) => [recordKey, code]), [[
    null,
    "INVALID_RECORD",
  ]]);
  assert.match(
    delivery.letters[0]!.reason,
    /Kafka refused the record .* Compacted topic cannot accept message without key/,
  );
  assert.equal(await topic.count(), 80);
});
