/**
 * What the sink writes, read by clients that share nothing with it: Kafka's own dump of the log, librdkafka and kafkajs.
 */

import assert from "node:assert/strict";
import { readTopic } from "../../support/consume.ts";
import { expectedRecord } from "../../support/expected_record.ts";
import { readTopicByKcat } from "../../support/kcat.ts";
import { type SharedKafka, sharedKafka } from "../../support/kafka.ts";
import { openInProcess, type RecordDraft, recordPage } from "../../support/kafka_sink.ts";
import { dumpBatches, type DumpedBatch } from "../../support/log_dump.ts";
import type { ReadRecord } from "../../support/record_batch_reader.ts";
import { testTopic } from "../../support/test_topic.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** The ways to write, in the order in which the topic holds them. */
const WAYS = CODECS.flatMap((codec) => [false, true].map((idempotent) => ({ codec, idempotent })));

const NOW = Date.now();
const MEBIBYTE = 1_048_576;

/** Small records in many batches, and one of each kind among them. */
function draftsOf(way: string): RecordDraft[] {
  const small = Array.from({ length: 700 }, (_, i): RecordDraft => ({
    key: `${way}-${i}`,
    value: `{"n":${i}}`,
    createdMs: NOW - i * 7 % 1_000,
  }));
  const odd: RecordDraft[] = [
    {
      key: "headers",
      value: "v",
      headers: [["a", "1"], ["größe", "東京"], ["a", "2"], ["empty", ""], ["null", null]],
    },
    { key: "many", value: "v", headers: Array.from({ length: 200 }, (_, i) => [`h${i}`, `${i}`] as const) },
    { key: null, value: "no key" },
    { key: "tombstone", value: null, headers: [["op", "delete"]] },
    { key: "", value: "" },
    { key: null, value: null },
    { key: Uint8Array.of(0xff, 0, 0x7c, 0x0a), value: Uint8Array.from({ length: 256 }, (_, i) => i) },
    { key: "random", value: randomBytes(MEBIBYTE) },
    { key: "even", value: new Uint8Array(MEBIBYTE).fill(0x61) },
  ];
  odd.forEach((draft, i) => small.splice(70 * (i + 1), 0, { ...draft, createdMs: NOW - 3_000 + i }));
  return small;
}

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

/** Write everything in every way. @returns the records in their order */
async function writeAll(kafka: SharedKafka, topic: string): Promise<RecordDraft[]> {
  const written: RecordDraft[] = [];
  for (const { codec, idempotent } of WAYS) {
    const drafts = draftsOf(codec);
    const sink = await openInProcess({
      brokers: kafka.brokers,
      compression: codec,
      idempotent,
      batch_size: 60,
      linger_ms: 0,
    });
    const answer = await sink.deliver(recordPage(topic, drafts), 1);
    await sink.close();
    assert.deepEqual([...answer.delivered], [0, drafts.length], JSON.stringify(answer.rejected));
    written.push(...drafts);
  }
  return written;
}

/** Check the batches of one way: each is intact, of the codec asked for, and numbered where that was asked for. */
function checkBatches(batches: readonly DumpedBatch[], codec: string, idempotent: boolean): void {
  const intact = { codec, magic: 2, isValid: true };
  assert.ok(batches.length > 10, `only ${batches.length} batches`);
  for (const { codec, magic, isValid } of batches) assert.deepEqual({ codec, magic, isValid }, intact);
  const producers = new Set(batches.map(({ producerId, producerEpoch }) => `${producerId} ${producerEpoch}`));
  assert.equal(producers.size, 1);
  assert.equal(producers.has("-1 -1"), !idempotent);
  let next = 0;
  for (const { baseSequence, count, lastSequence, records } of batches) {
    const sequences = idempotent ? records.map((_, i) => next + i) : records.map(() => -1);
    assert.equal(records.length, count);
    assert.deepEqual(records.map(({ sequence }) => sequence), sequences);
    assert.deepEqual([baseSequence, lastSequence], [sequences[0], sequences.at(-1)]);
    next += count;
  }
}

/** What kcat prints for headers. */
function printed(headers: ReadRecord["headers"]): string {
  const text = (bytes: Uint8Array | null) => bytes === null ? "NULL" : new TextDecoder().decode(bytes);
  return headers.map(([name, value]) => `${name}=${text(value)}`).join(",");
}

/** Headers with those of one name together, as kafkajs hands them out. */
function gathered(headers: ReadRecord["headers"]): ReadRecord["headers"] {
  const names = [...new Set(headers.map(([name]) => name))];
  return names.flatMap((name) => headers.filter(([other]) => other === name));
}

Deno.test("what the Kafka sink writes with every codec is read without complaint", async (t) => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1, { "max.message.bytes": "4000000" });
  const written = (await writeAll(kafka, topic.name)).map(expectedRecord);

  await t.step("by DumpLogSegments --deep-iteration", async () => {
    const batches = await dumpBatches(kafka, topic.name);
    const each = written.length / WAYS.length;
    WAYS.forEach(({ codec, idempotent }, i) => {
      const own = batches.filter(({ baseOffset }) => Math.floor(baseOffset / each) === i);
      checkBatches(own, codec, idempotent);
    });
    const dumped = batches.flatMap(({ records }) => records);
    assert.deepEqual(
      dumped.map(({ sequence: _, ...record }) => record),
      written.map(({ timestamp, key, value, headers }, offset) => ({
        offset,
        timestamp,
        keySize: key?.length ?? -1,
        valueSize: value?.length ?? -1,
        headerKeys: headers.map(([name]) => name),
      })),
    );
  });

  await t.step("by kcat", async () => {
    const read = await readTopicByKcat(kafka.brokers, topic.name);
    assert.equal(read.length, written.length);
    read.forEach(({ timestamp, key, value, headers }, i) => {
      const wanted = { ...written[i]!, headers: printed(written[i]!.headers) };
      assert.deepEqual({ timestamp, key, value, headers }, wanted, `record ${i}`);
    });
  });

  await t.step("by kafkajs", async () => {
    const read = await readTopic(kafka.brokers, topic.name);
    assert.equal(read.length, written.length);
    const plain = (bytes: Uint8Array | null) => bytes === null ? null : Uint8Array.from(bytes);
    read.forEach(({ timestamp, key, value, headers }, i) => {
      const wanted = { ...written[i]!, headers: gathered(written[i]!.headers) };
      const got = headers.map(([name, bytes]) => [name, plain(bytes)] as const);
      assert.deepEqual(
        { timestamp, key: plain(key), value: plain(value), headers: got },
        wanted,
        `record ${i}`,
      );
    });
  });
});
