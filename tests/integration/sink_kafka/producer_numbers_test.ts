/** What an idempotent sink does when a broker does not know its producer, or counts otherwise. */

import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../plugins/sink_kafka/clock.ts";
import { readTopic } from "../../support/consume.ts";
import { FaultProxy } from "../../support/fault_proxy.ts";
import { NO_FAULTS, type Planned } from "../../support/fault_schedule.ts";
import { sharedKafka, startKafka } from "../../support/kafka.ts";
import { Delivery, openInProcess } from "../../support/kafka_sink.ts";
import { dumpBatches } from "../../support/log_dump.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { PRODUCE_KEY, readProduceAnswer } from "../../support/produce_wire.ts";
import { countProducers, produceRequest, RAW_VERSION, RawClient } from "../../support/raw_client.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

const FIELDS = { idempotent: true, batch_size: 10, linger_ms: 0 };

/** A single broker at which a test's word decides what happens to Produce requests, by how manieth they are. */
function broker(brokers: string, plan: (request: number) => Planned | undefined): Promise<FaultProxy> {
  let produced = 0;
  return FaultProxy.start({
    brokers,
    seed: 1,
    nodes: 1,
    mix: NO_FAULTS,
    plan: (_, apiKey) => apiKey === PRODUCE_KEY ? plan(++produced) : undefined,
  });
}

/** The producers in a log, as id and epoch, in the order in which they wrote first. */
async function producersOf(topic: string): Promise<readonly (readonly [id: number, epoch: number])[]> {
  const batches = await dumpBatches(await sharedKafka(), topic);
  const names = batches.map(({ producerEpoch, producerId }) => `${producerId}/${producerEpoch}`);
  return [...new Set(names)].map((name) => name.split("/").map(Number) as [number, number]);
}

const CODES = [
  { code: 45, name: "OUT_OF_ORDER_SEQUENCE_NUMBER", renewed: false },
  { code: 59, name: "UNKNOWN_PRODUCER_ID", renewed: false },
  { code: 47, name: "INVALID_PRODUCER_EPOCH", renewed: true },
  { code: 49, name: "INVALID_PRODUCER_ID_MAPPING", renewed: true },
  { code: 90, name: "PRODUCER_FENCED", renewed: true },
];

Deno.test("an idempotent sink counts anew when a broker has lost the count, and nothing stands there twice", async (t) => {
  const kafka = await sharedKafka();
  for (const { code, name, renewed } of CODES) {
    await t.step(`${name}: ${renewed ? "another producer id" : "the next epoch"}`, async () => {
      await using topic = await testTopic(kafka, 1);
      await using proxy = await broker(
        kafka.brokers,
        (n) => n === 4 ? { kind: "miscount", code } : undefined,
      );
      const records = new NumberedRecords();
      await using delivery = new Delivery(await openInProcess({ ...FIELDS, brokers: proxy.brokers }));
      for (let page = 0; page < 4; page++) await delivery.offer(topic.name, records.take(50));
      await delivery.drained();
      assert.deepEqual([delivery.states, delivery.letters, proxy.errors], [[], [], []]);
      assert.equal(proxy.trace.count("miscount"), 1);
      records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
      const [before, after, ...others] = await producersOf(topic.name);
      assert.deepEqual(others, []);
      assert.equal(after![0] !== before![0], renewed);
      assert.deepEqual([before![1], after![1]], [0, renewed ? 0 : 1]);
    });
  }
});

Deno.test("an idempotent sink whose producer id was used by somebody else with a newer epoch gets another one", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  const records = new NumberedRecords();
  await using delivery = new Delivery(await openInProcess({ ...FIELDS, brokers: kafka.brokers }));
  await delivery.offer(topic.name, records.take(50));
  await delivery.drained();
  const [[producerId] = []] = await producersOf(topic.name);
  using other = await RawClient.to(kafka.brokers);
  const stamp = { producerId: BigInt(producerId!), producerEpoch: 5, baseSequence: 0 };
  await other.send(produceRequest(topic.name, 1, stamp));
  assert.equal(readProduceAnswer(await other.answer(), RAW_VERSION).partitions[0]!.errorCode, 0);
  for (let page = 0; page < 3; page++) await delivery.offer(topic.name, records.take(50));
  await delivery.drained();
  assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  const read = await readTopic(kafka.brokers, topic.name);
  records.assertExactlyOnce(read.filter(({ key }) => key !== null));
  const epochs = (await producersOf(topic.name)).map(([id, epoch]) => [id === producerId, epoch]);
  assert.deepEqual(epochs, [[true, 0], [true, 5], [false, 0]]);
});

Deno.test("an idempotent sink that was idle until the broker had forgotten it keeps the order, although that broker would take any number", async () => {
  await using kafka = await startKafka({
    settings: { "producer.id.expiration.ms": "1000", "producer.id.expiration.check.interval.ms": "200" },
  });
  await kafka.createTopic("idle", 1);
  let idleMs = 0;
  const clock = { ...SYSTEM_CLOCK, monotonicMs: () => SYSTEM_CLOCK.monotonicMs() + idleMs };
  let refusing = false;
  await using proxy = await broker(kafka.brokers, () => {
    if (!refusing) return undefined;
    refusing = false;
    return { kind: "refuse", code: 6 };
  });
  using observer = await RawClient.to(kafka.brokers);
  const records = new NumberedRecords();
  await using delivery = new Delivery(await openInProcess({ ...FIELDS, brokers: proxy.brokers }, clock));
  for (let round = 0; round < 2; round++) {
    for (let page = 0; page < 3; page++) await delivery.offer("idle", records.take(50));
    await delivery.drained();
    const forgotten = async () => await countProducers(observer, "idle") === 0;
    await waitUntil(forgotten, { what: "the broker to forget the producer" });
    // As long as no test wants to wait.
    idleMs += 120_000;
    refusing = true;
  }
  for (let page = 0; page < 3; page++) await delivery.offer("idle", records.take(50));
  await delivery.drained();
  assert.equal(proxy.trace.count("refuse"), 2);
  assert.deepEqual([delivery.states, delivery.letters, proxy.errors], [[], [], []]);
  records.assertExactlyOnce(await readTopic(kafka.brokers, "idle"));
});
