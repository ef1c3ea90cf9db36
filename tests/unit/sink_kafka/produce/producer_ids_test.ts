import { type Fault, FaultError, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import type { PartitionQueue } from "../../../../plugins/sink_kafka/produce/partition_queue.ts";
import { newProducer, ProducerIds } from "../../../../plugins/sink_kafka/produce/producer_ids.ts";
import type { Producer } from "../../../../plugins/sink_kafka/cluster/cluster_port.ts";
import { batchOf, queueOf } from "../../../support/kafka_batches.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

const LOADING = new FaultError(unavailable("COORDINATOR_LOAD_IN_PROGRESS", "is starting"));

/** A cluster that answers in turn. */
function clusterOf(...answers: readonly (Producer | Error)[]) {
  let next = 0;
  return {
    initProducerId(): Promise<Producer> {
      const answer = answers[Math.min(next++, answers.length - 1)]!;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    get asked() {
      return next;
    },
  };
}

function setup(first: Producer | undefined, ...answers: readonly (Producer | Error)[]) {
  const clock = new SinkClock();
  const renewed: PartitionQueue[] = [];
  const faults: Fault[] = [];
  const ports = {
    clock,
    cluster: clusterOf(...answers),
    onRenewed: (queue: PartitionQueue) => void renewed.push(queue),
    onFault: (fault: Fault) => void faults.push(fault),
  };
  return { clock, faults, producers: new ProducerIds(ports, first), renewed };
}

Deno.test("newProducer() waits for a cluster that has just been started", async () => {
  const clock = new SinkClock();
  const cluster = clusterOf(LOADING, LOADING, { id: 5n, epoch: 0 });
  const producer = newProducer(cluster, clock);
  await clock.pass(1_000);
  assert.deepEqual(await producer, { id: 5n, epoch: 0 });
});

Deno.test("newProducer() does not wait for ever, and not at all for what does not pass", async () => {
  const clock = new SinkClock();
  const producer = newProducer(clusterOf(LOADING), clock);
  producer.catch(() => {});
  await clock.pass(15_000);
  await assert.rejects(producer, LOADING);
  const gone = new FaultError(unavailable("BROKER_UNREACHABLE", "nobody there"));
  const cluster = clusterOf(gone);
  await assert.rejects(newProducer(cluster, clock), gone);
  assert.equal(cluster.asked, 1);
});

Deno.test("ProducerIds gives no numbers when the producer is not idempotent", () => {
  const { producers } = setup(undefined, LOADING);
  const queue = queueOf(0, batchOf());
  producers.provide(queue);
  assert.equal(queue.sequence, undefined);
});

Deno.test("ProducerIds sends nothing of a queue until it has another producer", async () => {
  const { clock, producers, renewed } = setup({ id: 1n, epoch: 0 }, { id: 2n, epoch: 0 });
  const queue = queueOf(0, batchOf());
  producers.provide(queue);
  assert.ok(queue.sendable(0));
  producers.renew(queue);
  producers.renew(queue);
  queue.clear();
  queue.waiting.push(batchOf());
  assert.ok(!queue.sendable(0), "also not in another generation");
  await clock.pass(0);
  assert.ok(queue.sendable(0));
  assert.deepEqual(renewed, [queue]);
  assert.deepEqual([queue.sequence!.producer.id, queue.sequence!.assign(1)], [2n, 0]);
  const other = queueOf(1, batchOf());
  producers.provide(other);
  assert.equal(other.sequence!.producer.id, 2n);
});

Deno.test("ProducerIds gets another producer when the epochs of one are used up", async () => {
  const { clock, producers } = setup({ id: 1n, epoch: 0x7fff }, { id: 2n, epoch: 0 });
  const queue = queueOf(0, batchOf());
  producers.provide(queue);
  queue.sequence!.abandon();
  producers.provide(queue);
  await clock.pass(0);
  assert.equal(queue.sequence!.producer.id, 2n);
});

Deno.test("ProducerIds reports that none is to be had, and can be asked again", async () => {
  const gone = new FaultError(unavailable("BROKER_UNREACHABLE", "nobody there"));
  const { clock, faults, producers } = setup({ id: 1n, epoch: 0 }, gone, { id: 2n, epoch: 0 });
  const queue = queueOf(0, batchOf());
  producers.provide(queue);
  producers.renew(queue);
  await clock.pass(0);
  assert.deepEqual(faults, [gone.fault]);
  producers.renew(queue);
  await clock.pass(0);
  assert.equal(queue.sequence!.producer.id, 2n);
});
