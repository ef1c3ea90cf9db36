import assert from "node:assert/strict";
import { Accumulator, type AccumulatorOptions } from "../../../../plugins/sink_kafka/produce/accumulator.ts";
import type { Topic } from "../../../../plugins/sink_kafka/cluster/cluster_port.ts";
import { CODECS } from "../../../../plugins/sink_kafka/record/compression.ts";
import { PageDelivery } from "../../../../plugins/sink_kafka/produce/page_delivery.ts";
import type { PartitionQueue } from "../../../../plugins/sink_kafka/produce/partition_queue.ts";
import { PARTITIONERS } from "../../../../plugins/sink_kafka/record/partitioner.ts";
import { NO_STAMP, stampBatch } from "../../../../plugins/sink_kafka/record/record_batch.ts";
import { CREATED_MS, type RecordDraft, recordPage } from "../../../support/kafka_sink.ts";
import { readBatch } from "../../../support/record_batch_reader.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

function setup(options: Partial<AccumulatorOptions> = {}) {
  const clock = new SinkClock();
  const accumulator = new Accumulator({
    batchSize: 3,
    batchBytes: 10_000,
    partitioner: PARTITIONERS.murmur2,
    timestamp: "created",
    clock,
    ...options,
  });
  const filled: PartitionQueue[] = [];
  const closed: PartitionQueue[] = [];
  const events = {
    filled: (queue: PartitionQueue) => filled.push(queue),
    closed: (queue: PartitionQueue) => closed.push(queue),
  };
  const append = (drafts: readonly RecordDraft[], counts: readonly number[] = [1]) =>
    appendTo(drafts, counts.map((count) => ({ errorCode: 0, leaders: new Array(count).fill(1) })));
  const appendTo = (drafts: readonly RecordDraft[], topics: readonly Topic[]) =>
    accumulator.append(new PageDelivery(recordPage("t", drafts), 0), topics, events);
  const counts = () => [...accumulator.queues()].map(({ waiting }) => waiting.map(({ count }) => count));
  return { accumulator, append, appendTo, clock, closed, counts, filled };
}

const records = (count: number): RecordDraft[] =>
  Array.from({ length: count }, (_, i) => ({ key: "k", value: `${i}` }));

Deno.test("Accumulator closes batches at batch_size, and goes on filling the last one with the next page", () => {
  const { append, closed, counts, filled } = setup();
  append(records(7));
  assert.deepEqual(counts(), [[3, 3, 1]]);
  append(records(1));
  assert.deepEqual(counts(), [[3, 3, 2]]);
  append(records(1));
  assert.deepEqual(counts(), [[3, 3, 3]]);
  assert.equal(filled.length, 1);
  assert.equal(closed.length, 3);
});

Deno.test("Accumulator closes batches at their bytes, and gives a larger record one of its own", () => {
  const { append, counts } = setup({ batchSize: 100, batchBytes: 300 });
  append([{ value: "x".repeat(100) }, { value: "x".repeat(100) }, { value: "x".repeat(500) }, {
    value: "x",
  }]);
  assert.deepEqual(counts(), [[2, 1, 1]]);
});

Deno.test("Accumulator makes smaller batches for a partition that has refused larger ones", () => {
  const { accumulator, append, counts } = setup({ batchSize: 100 });
  append(records(1));
  const [queue] = accumulator.queues();
  queue!.waiting.pop();
  queue!.batchBytesMax = 100;
  append(records(6));
  assert.ok(counts()[0]!.length >= 2);
});

Deno.test("Accumulator keeps the partitions of topics apart, by key and by topic", () => {
  const { accumulator, append } = setup({ batchSize: 100 });
  append([{ key: "21" }, { key: "42" }, { key: "21", topic: "u" }, { key: "42" }], [3, 3]);
  const queues = [...accumulator.queues()].map((
    { topic, partition, waiting },
  ) => [topic, partition, waiting[0]!.count]);
  assert.deepEqual(queues, [["t", 0, 1], ["t", 1, 2], ["u", 0, 1]]);
});

Deno.test("Accumulator puts records without a key into one partition until its batch is full", () => {
  const { append, counts } = setup();
  append(Array.from({ length: 9 }, () => ({ value: "x" })), [2]);
  assert.deepEqual(counts().flat(), [3, 3, 3]);
  assert.equal(counts().length, 2);
});

Deno.test("Accumulator puts records without a key, and no others, into the preferred partitions", () => {
  const { accumulator, appendTo } = setup({ batchSize: 1 });
  const keyless = Array.from({ length: 20 }, () => ({ value: "x" }));
  // "21" goes to partition 0 of 3.
  appendTo([...keyless, { key: "21" }], [{ errorCode: 0, leaders: [1, 2, 2], preferred: [1, 2] }]);
  const counts = [...accumulator.queues()].map(({ partition, waiting }) => [partition, waiting.length]);
  assert.deepEqual(counts.toSorted(), [[0, 1], [1, 10], [2, 10]]);
});

Deno.test("Accumulator with the partitioner random treats keys as if there were none", () => {
  const { append, counts } = setup({ partitioner: PARTITIONERS.random });
  append(records(9), [2]);
  assert.deepEqual(counts().flat(), [3, 3, 3]);
  assert.equal(counts().length, 2);
});

Deno.test("Accumulator puts records where they say, whatever their key is, and rejects alone what there is no partition for", async () => {
  const { accumulator } = setup({ batchSize: 100 });
  const drafts = [
    { key: "21", partition: 2 },
    { partition: 1 },
    { key: "21", partition: 3 },
    { key: "21", partition: -1 },
    { topic: "u", partition: 2 },
    { key: "42", partition: 2 },
  ];
  const delivery = new PageDelivery(recordPage("t", drafts), 0);
  const topics = [3, 1].map((count) => ({ errorCode: 0, leaders: new Array(count).fill(1) }));
  accumulator.append(delivery, topics, { filled: () => {}, closed: () => {} });
  const placed = [...accumulator.queues()].map(({ topic, partition, waiting }) => [
    topic,
    partition,
    waiting.flatMap((batch) => batch.members().map(({ index }) => index)),
  ]);
  assert.deepEqual(placed, [["t", 0, [3]], ["t", 1, [1]], ["t", 2, [0, 5]]]);
  for (const { waiting } of accumulator.queues()) for (const batch of waiting) batch.deliver();
  const { delivered, rejected, failed } = await delivery.answer;
  assert.deepEqual([[...delivered], failed], [[0, 2, 3, 4, 5, 6], []]);
  assert.deepEqual(rejected.map(({ index, code }) => [index, code]), [
    [2, "UNKNOWN_PARTITION"],
    [4, "UNKNOWN_PARTITION"],
  ]);
  assert.match(rejected[0]!.reason, /^Topic "t" has no partition 3: it has 3, from 0 to 2\. Correct what /);
});

Deno.test("Accumulator leaves the partition of records without a key alone when a record names one", () => {
  const { accumulator, append } = setup({ batchSize: 100 });
  append([{}, { partition: 0 }, {}, { partition: 1 }, {}, { partition: 2 }, {}], [3]);
  const counts = [...accumulator.queues()].map(({ waiting }) => waiting[0]!.count);
  assert.deepEqual(counts.toSorted(), [1, 1, 5]);
});

Deno.test("Accumulator stamps records with their own time or with now, and takes them apart again", () => {
  for (const timestamp of ["created", "now"] as const) {
    const { accumulator, append, clock } = setup({ timestamp });
    append([{ value: "a", createdMs: CREATED_MS + 0.9 }, { value: "b", createdMs: CREATED_MS - 3 }]);
    const [queue] = accumulator.queues();
    const batch = queue!.waiting[0]!;
    const [whole] = accumulator.rebatch(batch.members(), 7);
    for (const one of [batch, whole!]) {
      one.seal(CODECS.none);
      stampBatch(one.bytes!, NO_STAMP);
      const times = readBatch(one.bytes!).records.map((record) => record.timestamp);
      assert.deepEqual(
        times,
        timestamp === "now" ? [clock.wallMs(), clock.wallMs()] : [CREATED_MS, CREATED_MS - 3],
      );
    }
    assert.ok(whole!.closed);
    assert.equal(whole!.createdAtMs, 7);
  }
});
