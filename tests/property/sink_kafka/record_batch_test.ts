/**
 * What the encoder writes, read by others: a reader that shares nothing with it, and Kafka's own consumer.
 */

import fc from "fast-check";
import assert from "node:assert/strict";
import { type Header, nullColumn } from "../../../plugins/sdk/mod.ts";
import { type Codec, CODECS } from "../../../plugins/sink_kafka/record/compression.ts";
import {
  NO_STAMP,
  RecordBatchBuilder,
  type Stamp,
  stampBatch,
} from "../../../plugins/sink_kafka/record/record_batch.ts";
import { readTopicByJava } from "../../support/consume.ts";
import { expectedRecord } from "../../support/expected_record.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { openInProcess, type RecordDraft, recordPage } from "../../support/kafka_sink.ts";
import { readBatch, type ReadRecord } from "../../support/record_batch_reader.ts";
import { testTopic } from "../../support/test_topic.ts";

const ENCODER = new TextEncoder();

const BYTES = fc.option(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => ENCODER.encode(text)),
    // Lengths on both sides of where a varint grows.
    fc.constantFrom(0, 63, 64, 8_191, 8_192).map((length) => new Uint8Array(length).fill(0x61)),
  ),
);

const HEADER: fc.Arbitrary<Header> = fc.tuple(
  // The console consumer writes a colon between a header's name and value.
  fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => !name.includes(":")),
  BYTES,
);

const RECORD: fc.Arbitrary<Required<Omit<RecordDraft, "partition" | "topic">>> = fc.record({
  key: BYTES,
  value: BYTES,
  headers: fc.array(HEADER, { maxLength: 4 }),
  createdMs: fc.oneof(
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
    fc.integer({ min: 0, max: 4_000_000_000_000 }),
  ),
});

const BASE_MS = 1_700_000_000_000;

/** Times on both sides of where the varint of their difference to {@link BASE_MS} grows, and others, also before 1970. */
const TIME_MS = fc.oneof(
  fc.constant(BASE_MS),
  fc.tuple(
    fc.constantFrom(0, 6, 13, 20, 27, 31, 32, 34, 41, 48),
    fc.constantFrom(-1, 1),
    fc.integer({ min: -1, max: 1 }),
  )
    .map(([bits, sign, beside]) => BASE_MS + sign * 2 ** bits + beside),
  fc.integer({ min: -4_000_000_000_000, max: 4_000_000_000_000 }),
);

const STAMP: fc.Arbitrary<Stamp> = fc.record({
  producerId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  producerEpoch: fc.integer({ min: 0, max: 32_767 }),
  baseSequence: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});

/** A sealed and stamped batch of all these records. */
function encode(drafts: readonly RecordDraft[], codec: Codec, stamp: Stamp): Uint8Array {
  const page = recordPage("t", drafts);
  // Memory comes from a pool: it holds anything.
  const builder = new RecordBatchBuilder(new Uint8Array(100).fill(0xff));
  for (let i = 0; i < page.count; i++) assert.ok(builder.append(page, i, page.createdMs[i]!, Infinity));
  const bytes = builder.seal(codec);
  if (codec === CODECS.none) assert.equal(bytes.length, builder.byteLength);
  stampBatch(bytes, stamp);
  return bytes;
}

Deno.test("RecordBatchBuilder writes batches that another reader reads, whatever the records are", () => {
  const records = fc.array(fc.tuple(RECORD, TIME_MS), { minLength: 1, maxLength: 30 })
    .map((pairs) => pairs.map(([draft, createdMs]) => ({ ...draft, createdMs })));
  const names = Object.keys(CODECS) as (keyof typeof CODECS)[];
  fc.assert(
    fc.property(records, fc.constantFrom(...names), STAMP, (drafts, codec, stamp) => {
      assert.deepEqual(readBatch(encode(drafts, CODECS[codec], stamp)), {
        codec,
        producerId: stamp.producerId,
        epoch: stamp.producerEpoch,
        sequence: stamp.baseSequence,
        maxTimestamp: Math.max(...drafts.map(({ createdMs }) => createdMs)),
        records: drafts.map(expectedRecord),
      });
    }),
    { numRuns: 400 },
  );
});

Deno.test("RecordBatchBuilder writes large values, long lists of headers and many records", () => {
  const sizes = [1_048_575, 1_048_576].map((size) => new Uint8Array(size).fill(0x61));
  const drafts: RecordDraft[] = [
    ...sizes.map((key) => ({ key, createdMs: BASE_MS })),
    ...sizes.map((value) => ({ value, createdMs: BASE_MS })),
    {
      headers: [...Array.from({ length: 300 }, (_, i) => [`h${i % 70}`, `${i}`] as const), [
        "large",
        sizes[1]!,
      ]],
      createdMs: BASE_MS,
    },
    ...Array.from({ length: 8_300 }, (_, i) => ({ key: `${i}`, createdMs: BASE_MS + i })),
  ];
  const { records, ...rest } = readBatch(encode(drafts, CODECS.none, NO_STAMP));
  assert.deepEqual(rest, {
    codec: "none",
    producerId: -1n,
    epoch: -1,
    sequence: -1,
    maxTimestamp: BASE_MS + 8_299,
  });
  assert.equal(records.length, drafts.length);
  records.forEach((record, i) => assert.deepEqual(record, expectedRecord(drafts[i]!), `record ${i}`));
});

Deno.test("RecordBatchBuilder writes no headers where a page has none", () => {
  const page = { ...recordPage("t", [{ value: "v" }]), headers: nullColumn(1) };
  const builder = new RecordBatchBuilder(new Uint8Array(100).fill(0xff));
  builder.append(page, 0, BASE_MS, Infinity);
  const bytes = builder.seal(CODECS.none);
  stampBatch(bytes, NO_STAMP);
  assert.deepEqual(readBatch(bytes).records, [expectedRecord({ value: "v", createdMs: BASE_MS })]);
});

Deno.test("RecordBatchBuilder refuses a record that is larger than the format can say", () => {
  const page = recordPage("t", [{ key: "k" }]);
  const huge = { ...page, value: { bytes: new Uint8Array(0), ranges: Uint32Array.of(0, 2 ** 31 - 1) } };
  const builder = new RecordBatchBuilder(new Uint8Array(100));
  assert.throws(
    () => builder.append(huge, 0, BASE_MS, Infinity),
    /^RangeError: Cannot append the record: its batch would have 2147483724 bytes, expected at most 2147483647$/,
  );
});

Deno.test("RecordBatchBuilder takes no record beyond its limit, but always the first", () => {
  const page = recordPage("t", [{ value: "x".repeat(500) }, { value: "y".repeat(20) }, {
    value: "z".repeat(500),
  }]);
  const builder = new RecordBatchBuilder(new Uint8Array(10));
  assert.equal(builder.append(page, 0, 0, 100), true);
  // Its length, attributes, time, offset, key, value's length, value and headers.
  const exactly = builder.byteLength + 7 + 20;
  assert.equal(builder.append(page, 1, 0, exactly - 1), false);
  assert.equal(builder.append(page, 1, 0, exactly), true);
  const before = builder.byteLength;
  assert.equal(before, exactly);
  assert.equal(builder.append(page, 2, 0, 700), false);
  assert.deepEqual([builder.count, builder.byteLength], [2, before]);
  const bytes = builder.seal(CODECS.none);
  stampBatch(bytes, NO_STAMP);
  assert.equal(readBatch(bytes).records.length, 2);
});

Deno.test("Kafka's own consumer reads what the sink writes with every codec", async () => {
  const kafka = await sharedKafka();
  // Any timestamp is taken, and nothing is deleted for its age.
  const anyTime = { "retention.ms": "-1", "message.timestamp.after.max.ms": "9223372036854775807" };
  await using topic = await testTopic(kafka, 1, { ...anyTime, "max.message.bytes": "4000000" });
  const large: RecordDraft = {
    key: "large",
    value: crypto.getRandomValues(new Uint8Array(65_536)),
    headers: [],
    createdMs: 1,
  };
  const mebibyte = { ...large, value: new Uint8Array(1_048_576).map((_, i) => i * i) };
  const written: RecordDraft[] = [];
  for (const compression of Object.keys(CODECS)) {
    const drafts = [...fc.sample(RECORD, { numRuns: 150, seed: 20_260_101 }), large, mebibyte];
    const sink = await openInProcess({
      brokers: kafka.brokers,
      compression,
      batch_size: 20,
      linger_ms: 0,
      idempotent: true,
    });
    const answer = await sink.deliver(recordPage(topic.name, drafts), 1);
    assert.deepEqual([...answer.delivered], [0, drafts.length], JSON.stringify(answer.rejected));
    await sink.close();
    written.push(...drafts);
  }
  const read = await readTopicByJava(kafka.tools, kafka.brokers, topic.name);
  const plain = (bytes: Uint8Array | null) => bytes === null ? null : Uint8Array.from(bytes);
  const got = read.map(({ timestamp, key, value, headers }): ReadRecord => ({
    timestamp,
    key: plain(key),
    value: plain(value),
    headers: headers.map(([name, value]) => [name, plain(value)] as const),
  }));
  assert.equal(got.length, written.length);
  got.forEach((record, i) => assert.deepEqual(record, expectedRecord(written[i]!), `record ${i}`));
});
