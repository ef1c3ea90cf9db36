import assert from "node:assert/strict";
import { PartitionSequence } from "../../../../plugins/sink_kafka/produce/sequencer.ts";
import { batchOf, queueOf } from "../../../support/kafka_batches.ts";

/** A queue of an idempotent producer that the broker knows. */
function numberedQueue(batches: number) {
  const queue = queueOf(0, ...Array.from({ length: batches }, () => batchOf()));
  queue.sequence = new PartitionSequence({ id: 1n, epoch: 0 });
  queue.sequence.acknowledged(queue.sequence.producer, 0);
  return queue;
}

/** Send the first batch. */
function send(queue: ReturnType<typeof numberedQueue>) {
  const batch = queue.launch();
  if (batch.sequence < 0) batch.sequence = queue.sequence!.assign(batch.count);
  return batch;
}

Deno.test("PartitionQueue has one batch in flight without numbers, five with them", () => {
  const plain = queueOf(0, batchOf(), batchOf());
  plain.launch();
  assert.ok(!plain.sendable(1));
  const queue = numberedQueue(6);
  for (let i = 0; i < 5; i++) {
    assert.ok(queue.sendable(1));
    send(queue);
  }
  assert.ok(!queue.sendable(1));
});

Deno.test("PartitionQueue sends nothing while some batches have come back and others have not", () => {
  const queue = numberedQueue(3);
  const [first] = [send(queue), send(queue)];
  queue.inFlight.shift();
  queue.returned.push({ batch: first, setback: { kind: "lost", reason: "" } });
  assert.ok(!queue.sendable(1));
});

Deno.test("PartitionQueue sends no new batch past one that the broker would then have forgotten", () => {
  const queue = numberedQueue(9);
  const oldest = send(queue);
  for (let i = 0; i < 4; i++) send(queue);
  // The oldest comes back, the others were written; it is sent again.
  queue.inFlight.length = 0;
  queue.waiting.unshift(oldest);
  assert.ok(queue.sendable(1));
  send(queue);
  assert.ok(!queue.sendable(1), "it and five others would be more than the broker remembers");
  queue.inFlight.length = 0;
  assert.ok(queue.sendable(1));
});

Deno.test("PartitionQueue starts to count again only when nothing with old numbers is in flight", () => {
  const queue = numberedQueue(2);
  send(queue);
  queue.sequence!.abandon();
  assert.ok(!queue.sendable(1));
  queue.inFlight.length = 0;
  assert.ok(queue.sendable(1));
});

Deno.test("PartitionQueue.clear() gives the count up when numbered batches are forgotten, and only then", () => {
  const fresh = numberedQueue(2);
  fresh.clear();
  assert.ok(!fresh.sequence!.broken);
  assert.equal(fresh.waiting.length, 0);
  const resent = numberedQueue(2);
  resent.waiting[0]!.sequence = 0;
  resent.clear();
  assert.ok(resent.sequence!.broken);
  const returned = numberedQueue(1);
  returned.returned.push({ batch: send(returned), setback: { kind: "lost", reason: "" } });
  returned.clear();
  assert.ok(returned.sequence!.broken);
});

Deno.test("PartitionQueue.mayBeWritten() sees batches in flight, and those that are sent again", () => {
  const queue = numberedQueue(1);
  assert.ok(!queue.mayBeWritten(-1));
  const batch = send(queue);
  assert.ok(queue.mayBeWritten(-1));
  assert.ok(!queue.mayBeWritten(0), "it is too late for it");
  queue.inFlight.length = 0;
  queue.waiting.push(batch);
  assert.ok(!queue.mayBeWritten(-1), "it was refused");
  batch.mayBeWritten = true;
  assert.ok(queue.mayBeWritten(-1));
});
