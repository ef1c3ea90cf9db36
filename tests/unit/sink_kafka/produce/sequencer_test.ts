import assert from "node:assert/strict";
import {
  PartitionSequence,
  sequenceAfter,
  WINDOW,
} from "../../../../plugins/sink_kafka/produce/sequencer.ts";

const PRODUCER = { id: 7n, epoch: 0 };

Deno.test("PartitionSequence numbers records without a gap", () => {
  const sequence = new PartitionSequence(PRODUCER);
  assert.deepEqual([3, 1, 5].map((count) => sequence.assign(count)), [0, 3, 4]);
  assert.deepEqual(sequence.stampAt(3), { producerId: 7n, producerEpoch: 0, baseSequence: 3 });
  assert.equal(sequence.next, 9);
});

Deno.test("sequenceAfter() starts at 0 again after 2^31 - 1", () => {
  assert.equal(sequenceAfter(0x7fff_fffe, 1), 0x7fff_ffff);
  assert.equal(sequenceAfter(0x7fff_fffe, 2), 0);
  assert.equal(sequenceAfter(0x7fff_ffff, 10), 9);
});

Deno.test("PartitionSequence lets one batch fly until the broker is known to know the producer", () => {
  const sequence = new PartitionSequence(PRODUCER);
  assert.equal(sequence.window(0), 1);
  sequence.acknowledged(PRODUCER, 1_000);
  assert.equal(sequence.window(1_001), WINDOW);
  assert.equal(sequence.window(10_000_000), 1, "after a long time the broker may have forgotten");
  sequence.acknowledged(PRODUCER, 10_000_000);
  sequence.doubt();
  assert.equal(sequence.window(10_000_001), 1, "another broker may know less");
});

Deno.test("PartitionSequence starts again at 0 with a higher epoch when the count is lost", () => {
  const sequence = new PartitionSequence(PRODUCER);
  sequence.assign(10);
  sequence.acknowledged(PRODUCER, 0);
  sequence.abandon();
  assert.ok(sequence.broken);
  assert.equal(sequence.assign(4), 0);
  assert.ok(!sequence.broken);
  assert.deepEqual(sequence.producer, { id: 7n, epoch: 1 });
  assert.equal(sequence.assign(4), 4);
  sequence.acknowledged(PRODUCER, 0);
  assert.equal(sequence.window(1), 1, "what has the old epoch shows nothing");
  sequence.acknowledged(sequence.producer, 0);
  assert.equal(sequence.window(1), WINDOW);
});

Deno.test("PartitionSequence needs another producer when its epochs are used up", () => {
  const sequence = new PartitionSequence({ id: 7n, epoch: 0x7fff });
  sequence.assign(1);
  assert.ok(!sequence.exhausted);
  sequence.abandon();
  assert.ok(sequence.exhausted);
  sequence.adopt({ id: 8n, epoch: 0 });
  assert.ok(!sequence.exhausted);
  assert.equal(sequence.assign(1), 0);
  assert.deepEqual(sequence.stampAt(0), { producerId: 8n, producerEpoch: 0, baseSequence: 0 });
});
