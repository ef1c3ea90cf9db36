/**
 * The keys that decide how records stand in the log.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readTopic, textOf } from "../../../support/consume.ts";
import { produceByKcat } from "../../../support/kcat.ts";
import { dumpBatches } from "../../../support/log_dump.ts";
import { draftsOf, type Fields, type KeyProof, type Stand } from "./stand.ts";
import { quietClient } from "../../../support/kafka_admin.ts";

const HOUR_MS = 3_600_000;

/** See the module. */
export const RECORD_KEYS: Readonly<Record<string, KeyProof>> = {
  async compression(stand) {
    const topic = await stand.topic(1);
    const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    await stand.deliver({}, topic, draftsOf(50));
    for (const compression of codecs) await stand.deliver({ compression }, topic, draftsOf(50));
    const batches = await dumpBatches(stand.kafka, topic);
    assert.deepEqual(batches.map(({ codec }) => codec), ["none", ...codecs]);
  },

  async compression_level(stand) {
    const topic = await stand.topic(1);
    const size = (fields: Fields) => sentBytes(stand, { ...fields, batch_size: 2_000 }, topic);
    for (const [compression, standard, high] of [["gzip", 6, 9], ["zstd", 1, 9]] as const) {
      const sizes = new Map<number, number>();
      for (const level of [1, standard, high]) {
        sizes.set(level, await size({ compression, compression_level: level }));
      }
      assert.equal(await size({ compression }), sizes.get(standard), `${compression} without a level`);
      assert.notEqual(sizes.get(high), sizes.get(1), `${compression} ${JSON.stringify([...sizes])}`);
    }
  },

  async batch_size(stand) {
    const topic = await stand.topic(1);
    await stand.deliver({}, topic, draftsOf(250));
    await stand.deliver({ batch_size: 40 }, topic, draftsOf(100));
    const batches = await dumpBatches(stand.kafka, topic);
    assert.deepEqual(batches.map(({ count }) => count), [100, 100, 50, 40, 40, 20]);
  },

  async idempotent(stand) {
    const topic = await stand.topic(1);
    await stand.deliver({}, topic, draftsOf(150));
    await stand.deliver({ idempotent: true }, topic, draftsOf(150));
    const [one, two, three, four] = await dumpBatches(stand.kafka, topic);
    for (const plain of [one!, two!]) assert.deepEqual([plain.producerId, plain.baseSequence], [-1, -1]);
    assert.ok(three!.producerId >= 0);
    assert.equal(four!.producerId, three!.producerId);
    assert.deepEqual([three!.baseSequence, four!.baseSequence], [0, 100]);
  },

  async timestamp(stand) {
    const topic = await stand.topic(1);
    const publishedMs = Date.now() - HOUR_MS;
    const draft = { key: "k", value: "1", createdMs: publishedMs + 0.7 };
    for (const fields of [{}, { timestamp: "created" }, { timestamp: "now" }]) {
      await stand.deliver(fields, topic, [draft]);
    }
    const times = (await readTopic(stand.kafka.brokers, topic)).map(({ timestamp }) => timestamp);
    assert.deepEqual(times.slice(0, 2), [publishedMs, publishedMs]);
    assert.ok(times[2]! > publishedMs + HOUR_MS / 2, `${times[2]}`);
  },

  async tombstone_on_null(stand) {
    const topic = await stand.topic(1, { "cleanup.policy": "compact" });
    const drafts = [{ key: "a", value: "null" }, { key: "b", value: '"null"' }];
    await stand.deliver({}, topic, drafts);
    await stand.deliver({ tombstone_on_null: true }, topic, drafts);
    const values = (await readTopic(stand.kafka.brokers, topic)).map((record) => textOf(record).value);
    assert.deepEqual(values, ["null", '"null"', null, '"null"']);
  },

  async partitioner(stand) {
    const keys = Array.from({ length: 1_000 }, (_, i) => `${"é東k".charAt(i % 3)}${"x".repeat(i % 11)}${i}`);
    const places = async (fields: Fields) => {
      const topic = await stand.topic(7);
      await stand.deliver({ ...fields, batch_size: 50 }, topic, keys.map((key) => ({ key, value: "v" })));
      return await placesOf(stand, topic);
    };
    const byJavaRules = await stand.topic(7);
    await produceByKafkajs(stand, byJavaRules, keys);
    const murmur2 = await placesOf(stand, byJavaRules);
    assert.equal(murmur2.size, keys.length);
    assert.deepEqual(await places({}), murmur2);
    assert.deepEqual(await places({ partitioner: "murmur2" }), murmur2);

    const byLibrdkafka = await stand.topic(7);
    const lines = keys.map((key) => `${key}\tv\n`).join("");
    await produceByKcat(stand.kafka.brokers, byLibrdkafka, lines, { partitioner: "consistent_random" });
    assert.deepEqual(await places({ partitioner: "consistent" }), await placesOf(stand, byLibrdkafka));

    const topic = await stand.topic(7);
    await stand.deliver({ partitioner: "random", batch_size: 50 }, topic, draftsOf(1_000, 1));
    const partitions = (await readTopic(stand.kafka.brokers, topic)).map(({ partition }) => partition);
    assert.ok(new Set(partitions).size > 1, "records of one key are in several partitions");
  },
};

/** How many bytes of batches a client has sent for a page of records that compress well. */
async function sentBytes(stand: Stand, fields: Fields, topic: string): Promise<number> {
  const drafts = Array.from({ length: 2_000 }, (_, i) => ({
    key: `order-${i % 97}`,
    value: JSON.stringify({ order: i * 7_919 % 10_007, customer: `cust-${i * 31 % 499}`, total: i % 1_013 }),
  }));
  const clientId = await stand.deliver(fields, topic, drafts);
  const requests = await stand.requests(clientId, "PRODUCE");
  return requests.flatMap(({ request }) => request.topicData!.flatMap(({ partitionData }) => partitionData))
    .reduce((sum, { recordsSizeInBytes }) => sum + recordsSizeInBytes, 0);
}

/** The partition of each key. */
async function placesOf(stand: Stand, topic: string): Promise<ReadonlyMap<string, number>> {
  const records = await readTopic(stand.kafka.brokers, topic);
  return new Map(records.map((record) => [textOf(record).key!, record.partition]));
}

async function produceByKafkajs(stand: Stand, topic: string, keys: readonly string[]): Promise<void> {
  const producer = quietClient(stand.kafka.brokers).producer();
  await producer.connect();
  await producer.send({ topic, messages: keys.map((key) => ({ key, value: "v" })) });
  await producer.disconnect();
}
