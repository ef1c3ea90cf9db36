/**
 * Two sinks at work on a cluster while something happens to it.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Json } from "../../../../plugins/sdk/mod.ts";
import { readTopic } from "../../../support/consume.ts";
import type { KafkaCluster } from "../../../support/kafka_cluster.ts";
import { SinkLoad } from "../../../support/sink_load.ts";

/** Whether there is time for more rounds, and for what takes long. */
export const FULL = Deno.env.get("TIDE_TEST_TIER") === "full";

/** How often something happens in each way. */
export const ROUNDS = FULL ? 2 : 1;

/** Of each topic. */
export const PARTITIONS = 6;

/** Two sinks at work, one of them idempotent. */
export interface Loads {
  readonly idempotent: SinkLoad;
  readonly plain: SinkLoad;
  readonly both: readonly [SinkLoad, SinkLoad];
  /** Wait until each has delivered something that it has not even been given yet. */
  passes(): Promise<void>;
}

/** Let two loads go on while something happens, each on a topic of its own, and check what was promised about records. */
export async function underLoad(
  cluster: KafkaCluster,
  name: string,
  fields: Readonly<Record<string, Json>>,
  trouble: (loads: Loads) => Promise<void>,
): Promise<Loads> {
  // What an earlier step has left when it failed.
  await Promise.all(cluster.nodes.map((node) => node.start()));
  const topics = [name, `${name}-plain`] as const;
  for (const topic of topics) await cluster.createTopic(topic, PARTITIONS);
  const shared = { brokers: cluster.brokers, ...fields };
  await using idempotent = await SinkLoad.start(topics[0], { ...shared, idempotent: true });
  await using plain = await SinkLoad.start(topics[1], shared);
  const both = [idempotent, plain] as const;
  const passes = async () => void await Promise.all(both.map((load) => load.passes()));
  const loads = { idempotent, plain, both, passes };
  await passes();
  await trouble(loads);
  await passes();
  for (const load of both) {
    await load.finish();
    assert.deepEqual(load.delivery.letters, []);
  }
  return loads;
}

/** Check that all is there, in order, and of the idempotent one once. */
export async function assertDelivered(cluster: KafkaCluster, { idempotent, plain }: Loads): Promise<void> {
  idempotent.records.assertExactlyOnce(await readTopic(cluster.brokers, idempotent.topic));
  plain.records.assertInOrder(await readTopic(cluster.brokers, plain.topic));
}

/** Check that the sinks have coped by themselves. */
export function assertNoFaults({ both }: Loads): void {
  for (const { topic, delivery } of both) assert.deepEqual(delivery.states, [], topic);
}
