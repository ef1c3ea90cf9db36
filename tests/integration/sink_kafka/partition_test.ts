/**
 * Records that name their partition, against a real broker.
 */

import assert from "node:assert/strict";
import { PARTITIONERS } from "../../../plugins/sink_kafka/record/partitioner.ts";
import { readTopic, textOf } from "../../support/consume.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { addPartitions } from "../../support/kafka_admin.ts";
import { Delivery, openInProcess, openKafkaSink, type RecordDraft } from "../../support/kafka_sink.ts";
import { testTopic } from "../../support/test_topic.ts";

/** What a partition holds, in order: `key=value`. */
async function heldBy(brokers: string, topic: string): Promise<ReadonlyMap<number, readonly string[]>> {
  const records = (await readTopic(brokers, topic)).map(textOf);
  const texts = (some: typeof records) => some.map(({ key, value }) => `${key}=${value}`);
  return new Map(
    [...Map.groupBy(records, ({ partition }) => partition)].map(([n, some]) => [n, texts(some)]),
  );
}

for (const idempotent of [true, false]) {
  const mode = idempotent ? "idempotent" : "not idempotent";
  Deno.test(`records land in the partition that they name, in order, and one that there is none of is rejected alone: ${mode}`, async () => {
    const kafka = await sharedKafka();
    await using topic = await testTopic(kafka, 3);
    const pages = 4;
    const expected = new Map<number, string[]>([[0, []], [1, []], [2, []]]);
    await using delivery = new Delivery(
      await openKafkaSink({ brokers: kafka.brokers, idempotent, batch_size: 50, linger_ms: 0 }),
    );
    for (let page = 0; page < pages; page++) {
      const drafts = Array.from({ length: 300 }, (_, i): RecordDraft => {
        const value = `${page}.${i}`;
        // One of those without a partition goes where its key hashes to, as ever.
        if (i % 7 === 6) return { key: `key-${i % 5}`, value };
        return { key: "same", value, partition: i % 3 };
      });
      for (const { key, value, partition } of drafts) {
        const bytes = new TextEncoder().encode(key as string);
        const wanted = partition ?? PARTITIONERS.murmur2(bytes, 0, bytes.length, 3);
        expected.get(wanted)!.push(`${key}=${value}`);
      }
      drafts.splice(100, 0, { key: "nowhere", value: "x", partition: 3 });
      await delivery.offer(topic.name, drafts);
    }
    await delivery.drained();
    assert.deepEqual(delivery.states, []);
    assert.deepEqual(
      delivery.letters.map(({ code, recordKey, partition, topic }) => [code, recordKey, partition, topic]),
      new Array(pages).fill(["UNKNOWN_PARTITION", "nowhere", 3, topic.name]),
    );
    assert.match(
      delivery.letters[0]!.reason,
      /^Topic "test-[^"]*" has no partition 3: it has 3, from 0 to 2/,
    );
    const held = await heldBy(kafka.brokers, topic.name);
    for (const [partition, texts] of expected) {
      assert.deepEqual(held.get(partition), texts, `partition ${partition}`);
    }
  });
}

Deno.test("a partition that is added while the sink runs takes the records that name it", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  await using delivery = new Delivery(await openInProcess({ brokers: kafka.brokers, linger_ms: 0 }));
  await delivery.offer(topic.name, [{ key: "a", value: "1", partition: 0 }]);
  await delivery.drained();
  await addPartitions(kafka.brokers, topic.name, 3);
  await delivery.offer(topic.name, [
    { key: "a", value: "2", partition: 2 },
    { key: "a", value: "3", partition: 0 },
    { key: "a", value: "4", partition: 1 },
  ]);
  await delivery.drained();
  assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  assert.deepEqual(
    await heldBy(kafka.brokers, topic.name),
    new Map([[0, ["a=1", "a=3"]], [1, ["a=4"]], [2, ["a=2"]]]),
  );
});
