import { type Fault, FaultError, misconfigured, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import type { Topic } from "../../../../plugins/sink_kafka/cluster/cluster_port.ts";
import { parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import {
  ELECTION_MS,
  LeaderSearch,
  OUTAGE_MS,
  type Stalled,
  TOPIC_WAIT_MS,
} from "../../../../plugins/sink_kafka/cluster/leader_search.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

const OPTIONS = parseOptions(kafkaConfig({ brokers: "b:1" }).fields);

/** A search over a cluster that answers what the test says. */
function setup() {
  const clock = new SinkClock();
  const state = {
    clock,
    asked: [] as string[][],
    atMs: [] as number[],
    answer: undefined as FaultError | undefined,
    topic: undefined as Topic | undefined,
    stalled: [] as Stalled[],
    holding: false,
    faults: [] as Fault[],
  };
  const search: LeaderSearch = new LeaderSearch({
    options: OPTIONS,
    clock,
    cluster: {
      refresh(topics) {
        state.asked.push([...topics]);
        state.atMs.push(Math.round(clock.monotonicMs()));
        return state.answer === undefined ? Promise.resolve() : Promise.reject(state.answer);
      },
      topic: () => state.topic,
    },
    onAnswer: () => {
      for (const { topic, partition } of state.stalled) {
        if (!hasLeader(state.topic, partition)) search.missing(topic);
      }
    },
    stalled: () => state.stalled,
    holding: () => state.holding,
    onFault: (fault) => {
      state.faults.push(fault);
      state.stalled = [];
      search.clear();
    },
  });
  return { search, state };
}

function hasLeader(topic: Topic | undefined, partition: number): boolean {
  return (topic?.leaders[Math.max(0, partition)] ?? -1) >= 0;
}

function stalledAt(clock: SinkClock, partition = 0): Stalled {
  const stalledSinceMs = clock.monotonicMs();
  return { topic: "t", partition, stalledSinceMs, stalledBy: undefined, reachedBefore: true };
}

Deno.test("LeaderSearch asks once for all that is asked for while it waits for an answer, and then rests", async () => {
  const { search, state } = setup();
  search.ask("a");
  search.ask("b");
  search.ask("c");
  await state.clock.pass(1_000);
  assert.deepEqual(state.asked, [["a"], ["b", "c"]]);
  await state.clock.pass(60_000);
  assert.equal(state.asked.length, 2);
});

Deno.test("LeaderSearch asks with growing pauses as long as somebody waits", async () => {
  const { search, state } = setup();
  state.stalled = [stalledAt(state.clock)];
  state.topic = { errorCode: 5, leaders: [-1] };
  search.missing("t");
  await state.clock.pass(4_000);
  const pauses = state.atMs.slice(1).map((ms, i) => ms - state.atMs[i]!);
  assert.deepEqual(pauses.slice(0, 6), [50, 100, 200, 400, 800, 1_000]);
  state.topic = { errorCode: 0, leaders: [1] };
  await state.clock.pass(5_000);
  const asked = state.asked.length;
  await state.clock.pass(60_000);
  assert.equal(state.asked.length, asked, "it rests when the leader is found");
  assert.equal(state.faults.length, 0);
});

Deno.test("LeaderSearch reports a topic that does not come into being", async () => {
  const { search, state } = setup();
  state.stalled = [stalledAt(state.clock, -1)];
  state.topic = { errorCode: 3, leaders: [] };
  search.missing("t");
  await state.clock.pass(TOPIC_WAIT_MS - 100);
  assert.equal(state.faults.length, 0);
  await state.clock.pass(1_500);
  assert.equal(state.faults.length, 1);
  assert.ok(
    state.faults[0]!.kind === "configuration" && state.faults[0]!.code === "UNKNOWN_TOPIC_OR_PARTITION",
  );
});

Deno.test("LeaderSearch reports at once what will not get better by itself", async () => {
  const { search, state } = setup();
  state.stalled = [stalledAt(state.clock)];
  state.topic = { errorCode: 29, leaders: [] };
  search.missing("t");
  await state.clock.pass(0);
  assert.ok(
    state.faults[0]!.kind === "configuration" && state.faults[0]!.code === "TOPIC_AUTHORIZATION_FAILED",
  );
  const other = setup();
  other.state.stalled = [stalledAt(other.state.clock)];
  other.state.answer = new FaultError(misconfigured("SASL_AUTHENTICATION_FAILED", "no", "do"));
  other.search.missing("t");
  await other.state.clock.pass(0);
  assert.equal(other.state.faults[0], other.state.answer.fault);
});

Deno.test("LeaderSearch reports an outage after a while, with what is known of it", async () => {
  const { search, state } = setup();
  state.stalled = [stalledAt(state.clock)];
  state.answer = new FaultError(unavailable("BROKER_UNREACHABLE", "nobody there"));
  search.missing("t");
  await state.clock.pass(OUTAGE_MS - 100);
  assert.equal(state.faults.length, 0);
  await state.clock.pass(1_500);
  assert.deepEqual(state.faults, [state.answer.fault]);
});

Deno.test("LeaderSearch waits for an election as long as the cluster answers", async () => {
  const { search, state } = setup();
  const broken = unavailable("BROKER_UNREACHABLE", "this one broker");
  state.topic = { errorCode: 0, leaders: [1] };
  state.stalled = [{ ...stalledAt(state.clock), stalledBy: broken }];
  await state.clock.pass(ELECTION_MS - 100);
  search.unreachable();
  assert.deepEqual(state.faults, []);
  await state.clock.pass(100);
  search.unreachable();
  assert.deepEqual(state.faults, [broken]);
});

Deno.test("LeaderSearch waits for no election when a leader could never be reached", async () => {
  const { search, state } = setup();
  const wrong = unavailable("BROKER_UNREACHABLE", "its advertised address");
  state.topic = { errorCode: 0, leaders: [1] };
  state.stalled = [{ ...stalledAt(state.clock), stalledBy: wrong, reachedBefore: false }];
  await state.clock.pass(OUTAGE_MS - 100);
  search.unreachable();
  assert.deepEqual(state.faults, []);
  await state.clock.pass(100);
  search.unreachable();
  assert.deepEqual(state.faults, [wrong]);
});

Deno.test("LeaderSearch reports no outage while batches are held that may have been written", async () => {
  const { search, state } = setup();
  state.stalled = [stalledAt(state.clock)];
  state.answer = new FaultError(unavailable("BROKER_UNREACHABLE", "nobody there"));
  state.holding = true;
  search.missing("t");
  await state.clock.pass(5 * OUTAGE_MS);
  assert.equal(state.faults.length, 0);
  state.holding = false;
  await state.clock.pass(1_500);
  assert.equal(state.faults.length, 1);
});

Deno.test("LeaderSearch notices that a partition is gone for good", async () => {
  const { search, state } = setup();
  state.stalled = [stalledAt(state.clock, 5)];
  state.topic = { errorCode: 0, leaders: [1, 2] };
  search.missing("t");
  await state.clock.pass(0);
  assert.ok(state.faults[0]!.kind === "unavailable");
  assert.match(state.faults[0]!.reason, /has only 2 partitions now/);
});

Deno.test("LeaderSearch asks nothing more after it was closed", async () => {
  const { search, state } = setup();
  state.stalled = [stalledAt(state.clock)];
  search.missing("t");
  search.close();
  await state.clock.pass(60_000);
  search.ask("t");
  assert.equal(state.asked.length, 1);
});

Deno.test("LeaderSearch leaves it to a page how long it waits for a partition, and reports an outage meanwhile", async () => {
  const { search, state } = setup();
  state.topic = { errorCode: 0, leaders: [-1] };
  state.stalled = [stalledAt(state.clock, -1)];
  search.missing("t");
  await state.clock.pass(2 * OUTAGE_MS);
  assert.deepEqual(state.faults, []);
  assert.ok(state.asked.length > 10);
  state.answer = new FaultError(unavailable("BROKER_UNREACHABLE", "gone"));
  await state.clock.pass(2 * OUTAGE_MS);
  assert.deepEqual(state.faults, [unavailable("BROKER_UNREACHABLE", "gone")]);
});
