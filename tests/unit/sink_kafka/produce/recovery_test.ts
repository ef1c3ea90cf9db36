import assert from "node:assert/strict";
import { Accumulator } from "../../../../plugins/sink_kafka/produce/accumulator.ts";
import type { Batch } from "../../../../plugins/sink_kafka/produce/batch.ts";
import type { Clock } from "../../../../plugins/sink_kafka/clock.ts";
import { parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import type { PartitionQueue, Setback } from "../../../../plugins/sink_kafka/produce/partition_queue.ts";
import type { RecordError } from "../../../../plugins/sink_kafka/cluster/produce_api.ts";
import { recover } from "../../../../plugins/sink_kafka/produce/recovery.ts";
import { PARTITIONERS } from "../../../../plugins/sink_kafka/record/partitioner.ts";
import { PartitionSequence } from "../../../../plugins/sink_kafka/produce/sequencer.ts";
import { batchOf, queueOf } from "../../../support/kafka_batches.ts";
import { kafkaConfig, type RecordDraft } from "../../../support/kafka_sink.ts";

const CLOCK: Clock = { monotonicMs: () => 0, wallMs: () => 0, random: () => 0.5, after: () => () => {} };
const OPTIONS = parseOptions(
  kafkaConfig({ brokers: "b:1", idempotent: true, request_timeout_ms: 1_000 }).fields,
);
const LOST: Setback = { kind: "lost", reason: "Connection closed" };

function refused(
  errorCode: number,
  recordErrors: readonly RecordError[] = [],
  errorMessage: string | null = null,
): Setback {
  return { kind: "refused", result: { topic: "t", partition: 0, errorCode, errorMessage, recordErrors } };
}

/** A queue whose batches, of so many records each, were sent and have come back like this. */
function returnedQueue(
  ...returned: readonly (readonly [drafts: number | readonly RecordDraft[], setback: Setback])[]
) {
  const batches = returned.map(([drafts]) =>
    batchOf({
      drafts: typeof drafts === "number"
        ? Array.from({ length: drafts }, (_, i) => ({ key: `${i}`, value: "x" }))
        : drafts,
    })
  );
  const queue = queueOf(0, ...batches);
  queue.sequence = new PartitionSequence({ id: 1n, epoch: 0 });
  batches.forEach((batch, i) => {
    queue.launch();
    batch.order = i + 1;
    batch.sequence = queue.sequence!.assign(batch.count);
    queue.returned.unshift({ batch, setback: returned[i]![1] });
  });
  queue.inFlight.length = 0;
  return { queue, batches };
}

function recovered(queue: PartitionQueue, nowMs = 10) {
  const accumulator = new Accumulator({
    batchSize: 100,
    batchBytes: 1e6,
    partitioner: PARTITIONERS.murmur2,
    timestamp: "created",
    clock: CLOCK,
  });
  return recover(queue, { options: OPTIONS, accumulator, clock: CLOCK, nowMs });
}

const sequences = (batches: readonly Batch[]) => batches.map(({ count, sequence }) => [count, sequence]);

Deno.test("recover() sends lost batches again, in order, with their numbers, after a pause", () => {
  const { queue, batches } = returnedQueue([3, LOST], [2, LOST], [1, LOST]);
  const recovery = recovered(queue);
  assert.deepEqual(queue.waiting, batches);
  assert.deepEqual(sequences(queue.waiting), [[3, 0], [2, 3], [1, 5]]);
  assert.ok(batches.every(({ mayBeWritten }) => mayBeWritten));
  assert.deepEqual(recovery, { refresh: true, newProducer: false, pauseMs: 100 });
});

Deno.test("recover() puts what came back before what waits", () => {
  const { queue, batches } = returnedQueue([1, refused(6)]);
  const waiting = batchOf();
  queue.waiting.push(waiting);
  assert.equal(recovered(queue).refresh, true);
  assert.deepEqual(queue.waiting, [...batches, waiting]);
});

Deno.test("recover() notes which batches may have been written without an acknowledgement", () => {
  const { queue, batches } = returnedQueue([1, refused(19)], [1, refused(6)], [1, LOST]);
  recovered(queue);
  assert.deepEqual(batches.map(({ mayBeWritten }) => mayBeWritten), [false, true, true]);
});

Deno.test("recover() takes a gap behind a refused batch for what it is", () => {
  const { queue } = returnedQueue([2, refused(19)], [2, refused(45)], [2, refused(45)]);
  const recovery = recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[2, 0], [2, 2], [2, 4]]);
  assert.ok(!queue.sequence!.broken);
  assert.deepEqual(queue.waiting.map(({ attempts }) => attempts), [1, 0, 0]);
  assert.equal(recovery.newProducer, false);
});

Deno.test("recover() counts anew when the broker has lost the count", () => {
  for (const code of [45, 59]) {
    const { queue } = returnedQueue([2, refused(code)], [2, refused(45)]);
    recovered(queue);
    assert.ok(queue.sequence!.broken);
    assert.deepEqual(sequences(queue.waiting), [[2, -1], [2, -1]]);
  }
});

Deno.test("recover() gets another producer when this one is no longer good, for all that waits", () => {
  const { queue } = returnedQueue([2, LOST], [2, refused(47)]);
  queue.waiting.push(batchOf({ sequence: 4 }));
  assert.equal(recovered(queue).newProducer, true);
  assert.deepEqual(sequences(queue.waiting), [[2, -1], [2, -1], [1, -1]]);
});

Deno.test("recover() splits a batch that is too large, with the same numbers for the same records", () => {
  const { queue } = returnedQueue([5, refused(10)], [2, refused(45)]);
  const recovery = recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[3, 0], [2, 3], [2, 5]]);
  assert.ok(!queue.sequence!.broken);
  assert.equal(recovery.pauseMs, 0);
  assert.deepEqual(queue.waiting.map(({ ordinal }) => ordinal), [0, 0, 0], "none of them was written");
  assert.ok(queue.batchBytesMax < 200, "the next batches are smaller");
});

Deno.test("recover() finds a record that is far larger than its neighbours at once", () => {
  const small = (key: string) => ({ key, value: "x" });
  const { queue } = returnedQueue([
    [small("a"), small("b"), { key: "L", value: "x".repeat(900) }, small("c")],
    refused(10),
  ]);
  recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[2, 0], [1, 2], [1, 3]]);
});

Deno.test("recover() rejects a record that is too large alone, and counts anew from there", async () => {
  const { queue, batches: [tooLarge] } = returnedQueue([1, refused(10)], [2, refused(45)]);
  recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[2, -1]]);
  assert.ok(queue.sequence!.broken);
  const { rejected } = await tooLarge!.pages[0]!.answer;
  assert.equal(rejected[0]!.code, "MESSAGE_TOO_LARGE");
  assert.match(rejected[0]!.reason, /^Message too large for topic "t": the record has 3 bytes, /);
});

Deno.test("recover() rejects the records that the broker names, with its words, and sends the others", () => {
  const errors = [{ index: 1, message: "too early" }, { index: 3, message: null }];
  const { queue, batches: [batch] } = returnedQueue([5, refused(32, errors)], [1, refused(45)]);
  recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[3, -1], [1, -1]]);
  assert.deepEqual(queue.waiting[0]!.members().map(({ index }) => index), [0, 2, 4]);
  assert.ok(batch!.pages[0]!.open);
});

Deno.test("recover() looks for a record at fault by halves when the broker names none", () => {
  const { queue } = returnedQueue([5, refused(87)]);
  recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[3, 0], [2, 3]]);
});

Deno.test("recover() does not believe a broker that names records which the batch does not have", () => {
  const { queue } = returnedQueue([4, refused(87, [{ index: 4, message: "no" }])]);
  recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[2, 0], [2, 2]]);
});

Deno.test("recover() suspects a record only when a batch stays damaged", () => {
  const { queue, batches: [batch] } = returnedQueue([4, refused(2)]);
  // An outage in which it was sent in vain again and again.
  batch!.attempts = 9;
  for (let round = 0; round < 3; round++) {
    recovered(queue);
    assert.deepEqual(queue.waiting, [batch]);
    queue.waiting = [];
    queue.returned = [{ batch: batch!, setback: refused(2) }];
  }
  recovered(queue);
  assert.deepEqual(sequences(queue.waiting), [[2, 0], [2, 2]]);
});

Deno.test("recover() ends the generation when a person must act, and gives the count up", () => {
  const { queue } = returnedQueue([1, LOST], [1, refused(29, [], "Topic authorization failed.")], [
    1,
    refused(45),
  ]);
  const { fault } = recovered(queue);
  assert.ok(fault?.kind === "configuration");
  assert.equal(fault.code, "TOPIC_AUTHORIZATION_FAILED");
  assert.equal(
    fault.reason,
    'Cannot write to topic "t": TOPIC_AUTHORIZATION_FAILED, not allowed to write to the topic: Topic authorization failed.',
  );
  assert.match(
    fault.advice,
    /kafka-acls --add --allow-principal User:ANONYMOUS --operation Write --operation Describe --topic t/,
  );
  assert.ok(queue.sequence!.broken);
});

Deno.test("recover() reports an outage when a batch was tried for delivery_timeout_ms", () => {
  const { queue } = returnedQueue([1, refused(19)]);
  const { fault } = recovered(queue, OPTIONS.deliveryTimeoutMs);
  assert.ok(fault?.kind === "unavailable");
  assert.equal(fault.code, "DELIVERY_TIMEOUT");
  assert.match(
    fault.reason,
    /^Cannot write to partition 0 of topic "t": NOT_ENOUGH_REPLICAS, fewer replicas/,
  );
});

Deno.test("recover() pauses longer the more often a batch has come back", () => {
  const pauses = [1, 2, 3, 4, 5, 30].map((attempts) => {
    const { queue, batches: [batch] } = returnedQueue([1, LOST]);
    batch!.attempts = attempts;
    return recovered(queue).pauseMs;
  });
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_000, 1_000]);
});
