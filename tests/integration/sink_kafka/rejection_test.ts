/**
 * Records that the broker refuses: they alone are rejected, with the broker's reason, and their neighbours go on in order.
 */

import assert from "node:assert/strict";
import { readTopic } from "../../support/consume.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { Delivery, openInProcess, openKafkaSink, type RecordDraft } from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { testTopic } from "../../support/test_topic.ts";

const DAY_MS = 86_400_000;
const BATCH = 100;

/** A kind of record that a topic refuses. */
interface Trouble {
  readonly title: string;
  readonly topic: Readonly<Record<string, string>>;
  /** Such a record. */
  readonly draft: () => RecordDraft;
  readonly code: string;
  readonly reason: RegExp;
}

const TROUBLES: readonly Trouble[] = [
  {
    title: "a record that is too large",
    topic: { "max.message.bytes": "20000" },
    draft: () => ({ key: "bad", value: crypto.getRandomValues(new Uint8Array(30_000)) }),
    code: "MESSAGE_TOO_LARGE",
    reason: /Message too large .* 30004 bytes, .* increase max\.message\.bytes .* projection/,
  },
  {
    title: "a record whose time is ahead",
    topic: { "message.timestamp.after.max.ms": "3600000" },
    draft: () => ({ key: "bad", value: "early", createdMs: Date.now() + DAY_MS }),
    code: "INVALID_TIMESTAMP",
    reason: /INVALID_TIMESTAMP, .*\. Set timestamp to "now", or widen message\.timestamp\.before\.max\.ms/,
  },
  {
    title: "a record whose time is long past",
    topic: { "message.timestamp.before.max.ms": "3600000" },
    draft: () => ({ key: "bad", value: "late", createdMs: Date.now() - DAY_MS }),
    code: "INVALID_TIMESTAMP",
    reason: /INVALID_TIMESTAMP, .* and message\.timestamp\.after\.max\.ms of the topic/,
  },
  {
    title: "a record without a key for a compacted topic",
    topic: { "cleanup.policy": "compact" },
    draft: () => ({ key: null, value: "no key" }),
    code: "INVALID_RECORD",
    reason: /^Kafka refused the record for topic .* Compacted topic cannot accept message without key/,
  },
];

/** Where the bad ones stand in a page that is one batch: first, last, several together and apart, all. */
const PLACES: readonly (readonly number[])[] = [
  [0],
  [BATCH - 1],
  [40],
  [0, 1, 50, 51, 97, BATCH - 1],
  Array.from({ length: BATCH }, (_, i) => i),
];

/** The next records, with bad ones at those places, in a page of one batch. */
function pageWith(
  records: NumberedRecords,
  places: readonly number[],
  draft: () => RecordDraft,
): RecordDraft[] {
  const good = records.take(BATCH - places.length);
  return Array.from({ length: BATCH }, (_, i) => places.includes(i) ? draft() : good.shift()!);
}

for (const { title, topic: config, draft, code, reason } of TROUBLES) {
  for (const idempotent of [true, false]) {
    const mode = idempotent ? "idempotent" : "not idempotent";
    Deno.test(`the Kafka sink rejects ${title} alone, wherever it stands: ${mode}`, async () => {
      const kafka = await sharedKafka();
      await using topic = await testTopic(kafka, 1, config);
      const records = new NumberedRecords();
      const options = { brokers: kafka.brokers, idempotent, batch_size: BATCH, linger_ms: 1_000 };
      await using delivery = new Delivery(await openInProcess(options));
      for (const places of PLACES) await delivery.offer(topic.name, pageWith(records, places, draft));
      // A page of nothing else, and one behind it.
      await delivery.offer(topic.name, [draft()]);
      await delivery.offer(topic.name, records.take(BATCH - 1));
      await delivery.drained();
      assert.deepEqual(delivery.states, []);
      const bad = PLACES.flat().length + 1;
      const letters = delivery.letters.map(({ recordKey, code, topic }) => ({ recordKey, code, topic }));
      const letter = { recordKey: draft().key, code, topic: topic.name };
      assert.deepEqual(letters, Array.from({ length: bad }, () => letter));
      for (const letter of delivery.letters) assert.match(letter.reason, reason);
      assert.equal(await topic.count(), records.count);
      records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
    });
  }
}

for (const idempotent of [true, false]) {
  const mode = idempotent ? "idempotent" : "not idempotent";
  Deno.test(`the Kafka sink in its Worker rejects what is too large, over several partitions: ${mode}`, async () => {
    const kafka = await sharedKafka();
    await using topic = await testTopic(kafka, 3, { "max.message.bytes": "20000" });
    const records = new NumberedRecords();
    const large = (n: number): RecordDraft => ({
      key: `large-${n}`,
      value: crypto.getRandomValues(new Uint8Array(30_000)),
    });
    await using delivery = new Delivery(
      await openKafkaSink({ brokers: kafka.brokers, idempotent, compression: "zstd", batch_size: 500 }),
    );
    for (let page = 0; page < 4; page++) {
      const drafts = records.take(1_000);
      for (const place of [0, 300, 301, 999]) drafts.splice(place, 0, large(page));
      await delivery.offer(topic.name, drafts);
    }
    await delivery.drained();
    assert.deepEqual(delivery.states, []);
    const counts = [0, 1, 2, 3].map((page) =>
      delivery.letters.filter(({ recordKey }) => recordKey === `large-${page}`).length
    );
    assert.deepEqual(counts, [4, 4, 4, 4]);
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

Deno.test("the Kafka sink splits a batch that is larger than a segment, and rejects a record that is", async () => {
  const kafka = await sharedKafka();
  // The least that a broker allows.
  const segment = 1_048_576;
  await using topic = await testTopic(kafka, 1, {
    "segment.bytes": String(segment),
    "max.message.bytes": String(4 * segment),
  });
  const records = new NumberedRecords({ fill: 10_000 });
  const sink = await openInProcess({
    brokers: kafka.brokers,
    idempotent: true,
    batch_size: 1_000,
    max_request_size: 4 * segment,
    linger_ms: 1_000,
  });
  await using delivery = new Delivery(sink);
  await delivery.offer(topic.name, records.take(250));
  await delivery.offer(topic.name, [{ key: "huge", value: new Uint8Array(segment) }, ...records.take(50)]);
  await delivery.drained();
  assert.deepEqual(delivery.states, []);
  assert.deepEqual(delivery.letters.map(({ recordKey, code }) => [recordKey, code]), [[
    "huge",
    "RECORD_LIST_TOO_LARGE",
  ]]);
  assert.match(
    delivery.letters[0]!.reason,
    /more than segment\.bytes allows\. .* increase segment\.bytes on/,
  );
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

Deno.test("the Kafka sink delivers records of any time to a topic that stamps them itself", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1, { "message.timestamp.type": "LogAppendTime" });
  const before = Date.now();
  const drafts = [-3_650, 0, 3_650].map((days) => ({ value: `${days}`, createdMs: before + days * DAY_MS }));
  await using delivery = new Delivery(await openInProcess({ brokers: kafka.brokers, idempotent: true }));
  await delivery.offer(topic.name, drafts);
  await delivery.drained();
  assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  const read = await readTopic(kafka.brokers, topic.name);
  assert.equal(read.length, drafts.length);
  for (const { timestamp } of read) assert.ok(timestamp >= before && timestamp <= Date.now(), `${timestamp}`);
});
