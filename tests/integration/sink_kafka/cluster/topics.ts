/**
 * Topics whose partitions are moved, that get more of them, and that are deleted and created again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readTopic } from "../../../support/consume.ts";
import { topicOffsets } from "../../../support/kafka_admin.ts";
import type { KafkaCluster } from "../../../support/kafka_cluster.ts";
import { waitUntil } from "../../../support/wait.ts";
import { assertDelivered, assertNoFaults, PARTITIONS, ROUNDS, underLoad } from "./loads.ts";

/** Partitions get other replicas and leaders, while another topic grows. */
export async function moved(cluster: KafkaCluster): Promise<void> {
  const loads = await underLoad(cluster, "moved", {}, async ({ both, passes }) => {
    const topics = both.map(({ topic }) => topic);
    const moving = async () => {
      for (let round = 1; round <= 2 * ROUNDS; round++) {
        await cluster.reassign(topics, (partition) => [0, 1].map((i) => (partition + round + i) % 3 + 1));
        await passes();
      }
    };
    await Promise.all([moving(), grown(cluster)]);
  });
  await assertDelivered(cluster, loads);
  assertNoFaults(loads);
}

async function grown(cluster: KafkaCluster): Promise<void> {
  const loads = await underLoad(cluster, "grown", { metadata_max_age_ms: 1_000 }, async ({ both }) => {
    for (const { topic } of both) {
      await cluster.tools.topics(["--alter", "--topic", topic, "--partitions", String(PARTITIONS + 2)]);
    }
    for (const { topic } of both) {
      const isUsed = async () => (await topicOffsets(cluster.brokers, topic)).at(-1)!.high > 0n;
      await waitUntil(isUsed, { what: `records in the new partitions of ${topic}`, timeoutMs: 60_000 });
    }
  });
  assertNoFaults(loads);
  const { idempotent, plain } = loads;
  const repeated = idempotent.records.assertInParts(await readTopic(cluster.brokers, idempotent.topic), true);
  assert.equal(repeated, 0);
  plain.records.assertInParts(await readTopic(cluster.brokers, plain.topic), true);
}

/**
 * How many of a key's first records may stand in any order in a partition that is new, with several batches in flight: its leader
 * knows nothing of the producer yet and takes any number first. So it may take the second batch where the old leader still refused the
 * first one, which is then sent again behind it. The protocol that names topics by id would see it; with one batch in flight it cannot be.
 */
const SEAM = 10;

/** Topics are deleted and created again. What Kafka deletes is gone, acknowledged or not. From there on nothing may be missing, and the order holds. */
export async function createdAgain(cluster: KafkaCluster): Promise<void> {
  const again = async (name: string, partitions: number) => {
    const loads = await underLoad(cluster, name, {}, async ({ both }) => {
      for (const { topic } of both) {
        await cluster.deleteTopic(topic);
        await cluster.createTopic(topic, partitions);
      }
    });
    for (const { topic, records } of loads.both) {
      const numbered = topic === loads.idempotent.topic;
      const written = await readTopic(cluster.brokers, topic);
      const repeated = records.assertInParts(written, false, numbered ? SEAM : 0);
      if (numbered) assert.equal(repeated, 0);
    }
    return loads;
  };
  const [same, fewer] = await Promise.all([again("same", PARTITIONS), again("fewer", PARTITIONS - 2)]);
  assertNoFaults(same);
  for (const { delivery } of fewer.both) {
    // What was meant for a partition that is gone must be given out anew, unless its old leader has taken it just before.
    const told = delivery.states.map((state) => "code" in state ? state.code : state.state);
    assert.ok(["", "UNKNOWN_TOPIC_OR_PARTITION,running"].includes(told.join()), told.join());
  }
}
