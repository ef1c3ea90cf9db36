import assert from "node:assert/strict";
import type { Topic } from "../../../../plugins/sink_kafka/cluster/cluster_port.ts";
import { PARTITION_WAIT_MS, PartitionWait } from "../../../../plugins/sink_kafka/produce/partition_wait.ts";
import { recordPage } from "../../../support/kafka_sink.ts";

const topicOf = (partitions: number): Topic => ({ errorCode: 0, leaders: new Array(partitions).fill(1) });

/** Whether a page with a record for partition 4 of four waits at `nowMs` although the cluster was asked at `asOfMs`. */
function waits(wait: PartitionWait, nowMs: number, asOfMs: number, sinceMs = nowMs): boolean {
  const page = recordPage("t", [{ partition: 3 }, { topic: "u", partition: 4 }]);
  const topics = wait.topics(page, [topicOf(4), topicOf(4)], { nowMs, sinceMs, asOfMs });
  assert.deepEqual(topics, topics.length === 0 ? [] : ["u"], "only the topic that lacks it is asked about");
  return topics.length > 0;
}

Deno.test("PartitionWait lets pages pass that name no partition, or only those that there are", () => {
  const wait = new PartitionWait();
  const times = { nowMs: 5, sinceMs: 5, asOfMs: -Infinity };
  assert.deepEqual(wait.topics(recordPage("t", [{}, {}]), [topicOf(1)], times), []);
  assert.deepEqual(wait.topics(recordPage("t", [{ partition: 3 }, {}]), [topicOf(4)], times), []);
});

Deno.test("PartitionWait waits until the cluster was asked a moment later, and no longer", () => {
  const wait = new PartitionWait();
  assert.ok(waits(wait, 50_000, 49_999));
  assert.ok(waits(wait, 50_900, 50_800, 50_000));
  assert.ok(
    waits(wait, 51_100, 50_000 + PARTITION_WAIT_MS - 1, 50_000),
    "an answer says how it was when it was asked for",
  );
  assert.ok(!waits(wait, 51_100, 50_000 + PARTITION_WAIT_MS, 50_000));
});

Deno.test("PartitionWait believes a young answer after it has waited in vain, for a while", () => {
  const wait = new PartitionWait();
  assert.ok(!waits(wait, 1_100, 1_000, 0));
  assert.ok(!waits(wait, 1_500, 1_000));
  assert.ok(waits(wait, 2_001, 1_000), "this answer is too old");
  assert.ok(!waits(wait, 2_002, 2_001, 2_001));
  assert.ok(!waits(wait, 62_001, 62_000), "each disappointment lengthens it");
  assert.ok(waits(wait, 122_001, 122_000));
});
