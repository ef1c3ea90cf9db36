import { FaultError, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import type { Lane } from "../../../../plugins/sink_kafka/produce/lane.ts";
import type { Producing } from "../../../../plugins/sink_kafka/cluster/produce_api.ts";
import { Lanes } from "../../../../plugins/sink_kafka/produce/lanes.ts";
import type { PartitionQueue } from "../../../../plugins/sink_kafka/produce/partition_queue.ts";
import { batchOf, queueOf } from "../../../support/kafka_batches.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

const UNREACHABLE = unavailable("BROKER_UNREACHABLE", "nobody answers");

const PRODUCING: Producing = { produce: () => assert.fail("nothing is sent") };

/** Lanes to one broker that cannot be reached, unless for the first times, and what is asked of them. */
function unreachable(queue: PartitionQueue, onUnreachable: (lanes: Lanes) => void, reached = 0) {
  const clock = new SinkClock();
  const pumped: Lane[] = [];
  let attempts = 0;
  const lanes: Lanes = new Lanes({
    cluster: {
      leaderOf: () => 1,
      connect: () => {
        attempts++;
        return attempts <= reached ? Promise.resolve(PRODUCING) : Promise.reject(new FaultError(UNREACHABLE));
      },
    },
    accumulator: { queues: () => [queue] as unknown as Generator<PartitionQueue> },
    search: { ask: () => {}, missing: () => {}, unreachable: () => onUnreachable(lanes) },
    clock,
    onFault: (fault) => assert.fail(`${fault.kind} is no fault of the generation`),
  }, (lane) => {
    pumped.push(lane);
    if (lane.active.size > 0) lanes.connect(lane);
  });
  return { clock, lanes, pumped, attempts: () => attempts };
}

Deno.test("Lanes tries a broker that cannot be reached again, after pauses that grow", async () => {
  const queue = queueOf(0, batchOf());
  const { attempts, clock, lanes } = unreachable(queue, () => {});
  lanes.routeAll();
  await clock.pass(49);
  assert.equal(attempts(), 1);
  assert.deepEqual([queue.stalledBy, queue.reachedBefore], [UNREACHABLE, false]);
  await clock.pass(2);
  assert.equal(attempts(), 2);
  await clock.pass(98);
  assert.equal(attempts(), 2);
  await clock.pass(2);
  assert.equal(attempts(), 3);
});

Deno.test("Lanes notes of a broker that cannot be reached that it could be before", async () => {
  const queue = queueOf(0, batchOf());
  const { attempts, clock, lanes } = unreachable(queue, () => {}, 1);
  lanes.routeAll();
  await clock.pass(0);
  assert.equal(attempts(), 2);
  assert.deepEqual([queue.stalledBy, queue.reachedBefore], [UNREACHABLE, true]);
  queue.clear();
  assert.equal(queue.stalledBy, undefined);
});

Deno.test("Lanes leaves no timer behind when an unreachable broker ends the generation", async () => {
  const { attempts, clock, lanes } = unreachable(queueOf(0, batchOf()), (those) => those.clear());
  lanes.routeAll();
  await clock.pass(1);
  assert.equal(clock.appointments, 0);
  await clock.pass(60_000);
  assert.equal(attempts(), 1);
});
