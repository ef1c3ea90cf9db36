import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { FaultProxy } from "./fault_proxy.ts";
import { type FaultKind, NO_FAULTS, type Planned } from "./fault_schedule.ts";
import { sharedKafka } from "./kafka.ts";
import { WireReader, WireWriter } from "./kafka_wire.ts";
import { METADATA_KEY } from "./metadata_wire.ts";
import { PRODUCE_KEY, readProduceAnswer } from "./produce_wire.ts";
import { produceRequest, RAW_VERSION, RawClient } from "./raw_client.ts";
import { type TestTopic, testTopic } from "./test_topic.ts";
import { waitUntil } from "./wait.ts";

/** A proxy that does one thing to the first Produce request, a client, and the topic behind. */
async function withFault(
  planned: Planned,
  test: (context: { proxy: FaultProxy; client: RawClient; topic: TestTopic }) => Promise<void>,
): Promise<void> {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  await using proxy = await FaultProxy.start({
    brokers: kafka.brokers,
    seed: 1,
    nodes: 1,
    mix: NO_FAULTS,
    plan: ({ connection, request }) => connection === 1 && request === 1 ? planned : undefined,
  });
  using client = await RawClient.to(proxy.brokers);
  await client.send(produceRequest(topic.name, 7));
  await test({ proxy, client, topic });
  assert.deepEqual(proxy.errors, []);
  assert.equal(proxy.trace.total, 1);
  assert.equal(proxy.trace.count(planned.kind!), 1);
}

async function codeIn(client: RawClient): Promise<number> {
  const { correlationId, partitions } = readProduceAnswer(await client.answer(), RAW_VERSION);
  assert.equal(correlationId, 7);
  return partitions[0]!.errorCode;
}

const CUTS: readonly [FaultKind, written: number][] = [
  ["cut before", 0],
  ["cut within", 0],
  ["cut after", 1],
  ["cut answer", 1],
  ["late", 1],
];

for (const [kind, written] of CUTS) {
  Deno.test(`FaultProxy, "${kind}": the client has no answer, the broker ${written} records`, async () => {
    await withFault({ kind }, async ({ client, topic }) => {
      assert.notEqual(await client.ended, undefined);
      assert.deepEqual(client.received, []);
      if (kind !== "cut answer") assert.equal(client.bytes, 0);
      if (written > 0) {
        await waitUntil(async () => await topic.count() === 1, { what: "the broker to write" });
      }
      assert.equal(await topic.count(), written);
    });
  });
}

for (const [kind, code, written] of [["refuse", 19, 0], ["miscount", 45, 0], ["deny", 20, 1]] as const) {
  Deno.test(`FaultProxy, "${kind}": the client has an error, the broker ${written} records`, async () => {
    await withFault({ kind, code }, async ({ client, topic }) => {
      assert.equal(await codeIn(client), code);
      assert.equal(await topic.count(), written);
    });
  });
}

Deno.test('FaultProxy, "throttle": the answer asks for a pause', async () => {
  await withFault({ kind: "throttle" }, async ({ client }) => {
    assert.equal(readProduceAnswer(await client.answer(), RAW_VERSION).throttleMs, 60);
  });
});

Deno.test('FaultProxy, "dribble": all of it arrives, in pieces', async () => {
  await withFault({ kind: "dribble" }, async ({ client, topic }) => {
    assert.equal(await codeIn(client), 0);
    assert.equal(await topic.count(), 1);
  });
});

for (const [kind, written] of [["hang", 1], ["swallow", 3]] as const) {
  Deno.test(`FaultProxy, "${kind}": the client hears nothing any more, the broker has ${written} of three records`, async () => {
    await withFault({ kind }, async ({ client, proxy, topic }) => {
      await client.send(produceRequest(topic.name, 8));
      using other = await RawClient.to(proxy.brokers);
      await other.send(produceRequest(topic.name, 9));
      assert.equal(readProduceAnswer(await other.answer(), RAW_VERSION).partitions[0]!.errorCode, 0);
      await waitUntil(async () => await topic.count() === written, { what: "the broker to write" });
      assert.equal(client.bytes, 0);
    });
  });
}

Deno.test('FaultProxy, "move": the partition has another leader, and this one says so', async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  await using proxy = await FaultProxy.start({
    brokers: kafka.brokers,
    seed: 1,
    nodes: 2,
    mix: NO_FAULTS,
    plan: ({ node, request }, key) =>
      key === PRODUCE_KEY && node === 1 && request === 1 ? { kind: "move" } : undefined,
  });
  proxy.lead(topic.name, 0, 1);
  const [first, second] = proxy.brokers.split(",");
  using before = await RawClient.to(first!);
  using after = await RawClient.to(second!);
  await before.send(produceRequest(topic.name, 7));
  assert.equal(await codeIn(before), 6);
  assert.deepEqual(leadersIn(await askMetadata(after, topic.name)), [2]);
  await after.send(produceRequest(topic.name, 7));
  assert.equal(await codeIn(after), 0);
});

Deno.test("FaultProxy does to connections what its faults are called", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  const shared = { brokers: kafka.brokers, seed: 1, nodes: 1 };
  await using resetting = await FaultProxy.start({ ...shared, mix: { ...NO_FAULTS, reset: 1 } });
  // It may be so quick that there seems to have been no connection.
  const ended = RawClient.to(resetting.brokers).then((client) => client.ended, () => "reset");
  assert.equal(await ended, "reset");
  await using muting = await FaultProxy.start({ ...shared, mix: { ...NO_FAULTS, mute: 1 } });
  using mute = await RawClient.to(muting.brokers);
  await mute.send(produceRequest(topic.name, 1));
  muting.mix = NO_FAULTS;
  using later = await RawClient.to(muting.brokers);
  await later.send(produceRequest(topic.name, 2));
  await later.answer();
  assert.equal(mute.bytes, 0);
  assert.equal(await topic.count(), 1);
  assert.deepEqual([resetting.trace.count("reset"), muting.trace.count("mute")], [1, 1]);
});

Deno.test("FaultProxy pretends to be a cluster", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 40);
  await using proxy = await FaultProxy.start({ brokers: kafka.brokers, seed: 1, nodes: 3, mix: NO_FAULTS });
  using client = await RawClient.to(proxy.brokers.split(",")[0]!);
  const leaders = leadersIn(await askMetadata(client, topic.name));
  assert.equal(leaders.length, 40);
  assert.deepEqual(new Set(leaders), new Set([1, 2, 3]));
  proxy.mix = { ...NO_FAULTS, leaderless: 1 };
  assert.ok(leadersIn(await askMetadata(client, topic.name)).includes(-1));
});

/** Ask for a topic's metadata, version 12. */
async function askMetadata(client: RawClient, topic: string): Promise<Buffer> {
  const head = new WireWriter().int16(METADATA_KEY).int16(12).int32(1).string("raw", false).tags(true);
  const topics = head.count(1, true).raw(Buffer.alloc(16)).string(topic, true).tags(true);
  // No topics are made, and no operations are asked for.
  await client.send(topics.raw(Buffer.from([0, 0])).tags(true).frame());
  return await client.answer();
}

/** The leaders of the one topic in an answer to Metadata, by partition. */
function leadersIn(frame: Buffer): number[] {
  const reader = WireReader.ofAnswer(frame, true);
  reader.int32();
  for (let brokers = reader.count(true); brokers > 0; brokers--) {
    reader.int32();
    reader.string(true);
    reader.int32();
    reader.string(true);
    reader.tags(true);
  }
  reader.string(true);
  reader.int32();
  assert.equal(reader.count(true), 1);
  assert.equal(reader.int16(), 0);
  reader.string(true);
  reader.skip(17);
  const leaders: number[] = [];
  for (let partitions = reader.count(true); partitions > 0; partitions--) {
    reader.int16();
    const partition = reader.int32();
    leaders[partition] = reader.int32();
    reader.int32();
    for (let lists = 3; lists > 0; lists--) reader.skip(4 * reader.count(true));
    reader.tags(true);
  }
  return leaders;
}
