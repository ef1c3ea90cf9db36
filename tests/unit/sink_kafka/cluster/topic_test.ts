import assert from "node:assert/strict";
import type { Topic } from "../../../../plugins/sink_kafka/cluster/cluster_port.ts";
import { learnTopic } from "../../../../plugins/sink_kafka/cluster/topic.ts";

const BROKERS = [
  { nodeId: 1, host: "b", port: 1, rack: "east" },
  { nodeId: 2, host: "b", port: 2, rack: "west" },
  { nodeId: 3, host: "b", port: 3, rack: null },
];

/** A topic whose partitions have these leaders, seen from a rack. */
function learn(leaders: readonly number[], rack?: string) {
  const partitions = leaders.map((leaderId, partitionIndex) => ({ errorCode: 0, partitionIndex, leaderId }));
  return learnTopic({ errorCode: 0, partitions: partitions.toReversed() }, BROKERS, rack);
}

Deno.test("learnTopic() prefers no partition when all are led, and by any broker without a rack", () => {
  assert.deepEqual(learn([2, 1, 3, 2]), { errorCode: 0, leaders: [2, 1, 3, 2] });
  assert.deepEqual(learn([]), { errorCode: 0, leaders: [] });
});

Deno.test("learnTopic() prefers partitions that have a leader which is there", () => {
  assert.deepEqual(learn([2, -1, 9]).preferred, [0]);
  assert.equal(learn([-1, 9]).preferred, undefined, "none has");
});

Deno.test("learnTopic() prefers partitions that the client's rack leads, others when there are none", () => {
  assert.deepEqual(learn([2, 1, 3, 2], "west").preferred, [0, 3]);
  assert.deepEqual(learn([2, -1, 3], "east").preferred, [0, 2]);
  assert.equal(learn([2, 1, 3], "north").preferred, undefined);
  assert.equal(learn([1, 1], "east").preferred, undefined, "all are in it");
});

Deno.test("learnTopic() believes nobody who has not heard of a topic's newest partitions", () => {
  const [one, other] = [crypto.randomUUID(), crypto.randomUUID()];
  const learnAs = (topicId: string, leaders: readonly number[], before?: Topic) => {
    const partitions = leaders.map((leaderId, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId,
    }));
    return learnTopic({ errorCode: 0, topicId, partitions }, BROKERS, undefined, before);
  };
  const grown = learnAs(one, [1, 2, 3], learnAs(one, [1, 2]));
  assert.deepEqual(grown, { errorCode: 0, leaders: [1, 2, 3], id: one });
  assert.deepEqual(learnAs(one, [2, 2], grown).leaders, [2, 2, -1]);
  assert.deepEqual(learnAs(other, [2, 2], grown).leaders, [2, 2], "created again, with fewer");
  const none = "00000000-0000-0000-0000-000000000000";
  assert.deepEqual(learnAs(none, [1], learnAs(none, [1, 2])), { errorCode: 0, leaders: [1] }, "without ids");
});

Deno.test("learnTopic() keeps the error of a topic that does not exist", () => {
  assert.deepEqual(learnTopic({ errorCode: 3, partitions: [] }, BROKERS, "east"), {
    errorCode: 3,
    leaders: [],
  });
});
