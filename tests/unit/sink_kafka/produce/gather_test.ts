import assert from "node:assert/strict";
import { gather, type RequestLimits } from "../../../../plugins/sink_kafka/produce/gather.ts";
import type { PartitionQueue } from "../../../../plugins/sink_kafka/produce/partition_queue.ts";
import { batchOf, type BatchOptions, queueOf } from "../../../support/kafka_batches.ts";

const LIMITS: RequestLimits = { batchSize: 10, requestBytes: 10_000, lingerMs: 20 };

/** A queue whose first batch has so many records. */
function queue(partition: number, records: number, options: BatchOptions = {}): PartitionQueue {
  return queueOf(
    partition,
    batchOf({ drafts: Array.from({ length: records }, () => ({ value: "x" })), ...options }),
  );
}

function gathered(queues: readonly PartitionQueue[], nowMs: number, limits = LIMITS, fullOnly = false) {
  const result = gather(queues, nowMs, limits, fullOnly);
  return { partitions: result.queues.map(({ partition }) => partition), wakeAtMs: result.wakeAtMs };
}

Deno.test("gather() sends what is full at once, up to batch_size records in a request", () => {
  const queues = [queue(0, 6), queue(1, 6), queue(2, 4)];
  assert.deepEqual(gathered(queues, 0).partitions, [0, 2]);
  assert.deepEqual(gathered([queue(0, 10), queue(1, 1)], 0).partitions, [0]);
});

Deno.test("gather() waits for the linger of batches that still fill, and says until when", () => {
  const queues = [
    queue(0, 3, { closed: false, createdAtMs: 5 }),
    queue(1, 3, { closed: false, createdAtMs: 9 }),
  ];
  assert.deepEqual(gathered(queues, 10), { partitions: [], wakeAtMs: 25 });
  assert.deepEqual(gathered(queues, 24.9).partitions, []);
  assert.deepEqual(gathered(queues, 25).partitions, [0, 1], "the younger one goes along");
});

Deno.test("gather() does not wait when what fills would make a request anyway", () => {
  const queues = [0, 1, 2, 3].map((partition) => queue(partition, 3, { closed: false }));
  assert.deepEqual(gathered(queues, 1).partitions, [0, 1, 2]);
  assert.deepEqual(gathered(queues, 1, LIMITS, true).partitions, [], "more records are coming right now");
});

Deno.test("gather() serves a batch that has lingered before full ones that come later in line", () => {
  const queues = [queue(0, 1, { closed: false }), queue(1, 9), queue(2, 9)];
  assert.deepEqual(gathered(queues, 30).partitions, [0, 1]);
});

Deno.test("gather() keeps the bytes of a request within bounds, but sends a batch that is larger by itself", () => {
  const large = (partition: number) =>
    queueOf(partition, batchOf({ drafts: [{ value: "x".repeat(6_000) }] }));
  assert.deepEqual(gathered([large(0), large(1)], 0).partitions, [0]);
  assert.deepEqual(
    gathered([queueOf(0, batchOf({ drafts: [{ value: "x".repeat(60_000) }] }))], 0).partitions,
    [0],
  );
});

Deno.test("gather() leaves queues alone that pause or have batches in flight, and wakes when a pause ends", () => {
  const paused = queue(0, 1);
  paused.retryAtMs = 100;
  const flying = queueOf(1, batchOf(), batchOf());
  flying.launch();
  assert.deepEqual(gathered([paused, flying], 50), { partitions: [], wakeAtMs: 100 });
  assert.deepEqual(gathered([paused, flying], 100).partitions, [0]);
});
