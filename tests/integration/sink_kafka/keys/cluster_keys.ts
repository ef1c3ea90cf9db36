/**
 * The key whose effect shows only where several brokers are.
 *
 * @module
 */

import assert from "node:assert/strict";
import { topicOffsets } from "../../../support/kafka_admin.ts";
import { KafkaCluster, NODES } from "../../../support/kafka_cluster.ts";
import type { RecordDraft } from "../../../support/kafka_sink.ts";
import { draftsOf, type Fields, type KeyProof, openAsUser } from "./stand.ts";

const TOPIC = "racks";

/** See the module. */
export const CLUSTER_KEYS: Readonly<Record<string, KeyProof>> = {
  async client_rack() {
    await using cluster = await KafkaCluster.start((node) => ({ "broker.rack": `rack-${node}` }));
    await cluster.createTopic(
      TOPIC,
      2 * NODES,
      { "min.insync.replicas": "1" },
      (partition) => [home(partition)],
    );
    const keyless = Array.from({ length: 300 }, (_, i) => ({ value: `${i}` }));
    const near = { client_rack: "rack-2" };
    assert.deepEqual(await writers(cluster, near, keyless), [2]);
    assert.deepEqual(await writers(cluster, near, draftsOf(300)), [1, 2, 3], "a key goes where it belongs");
    assert.deepEqual(await writers(cluster, {}, keyless), [1, 2, 3]);

    await cluster.node(2).kill();
    await cluster.leaderless(TOPIC);
    // None of them waits for the broker that is gone.
    for (const fields of [near, {}]) await deliver(cluster, fields, keyless);
  },
};

/** The only node that has a partition. */
function home(partition: number): number {
  return partition % NODES + 1;
}

async function deliver(cluster: KafkaCluster, fields: Fields, drafts: readonly RecordDraft[]): Promise<void> {
  await using sink = await openAsUser({ ...fields, brokers: cluster.brokers, batch_size: 10 });
  await sink.deliver(TOPIC, drafts);
}

/** The nodes that led the partitions which these records went to. */
async function writers(
  cluster: KafkaCluster,
  fields: Fields,
  drafts: readonly RecordDraft[],
): Promise<readonly number[]> {
  const before = await topicOffsets(cluster.brokers, TOPIC);
  await deliver(cluster, fields, drafts);
  const after = await topicOffsets(cluster.brokers, TOPIC);
  const grown = after.filter(({ partition, high }) => high > before[partition]!.high);
  return [...new Set(grown.map(({ partition }) => home(partition)))].toSorted();
}
