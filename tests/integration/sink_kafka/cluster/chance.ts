/**
 * Brokers that go in every way, by chance.
 *
 * @module
 */

import type { ClusterNode, KafkaCluster } from "../../../support/kafka_cluster.ts";
import { assertDelivered, underLoad } from "./loads.ts";

/** What may happen to a node, and how long it may last, in milliseconds. */
const TROUBLES: Readonly<Record<string, (cluster: KafkaCluster, node: ClusterNode) => Promise<void>>> = {
  killed: async (_, node) => {
    await node.kill();
    await upTo(6_000);
    await node.start();
  },
  halted: async (_, node) => {
    await node.halt();
    await upTo(1_000);
    await node.start();
  },
  frozen: async (_, node) => {
    await node.freeze();
    await upTo(9_000);
    await node.thaw();
  },
  "one of two that are killed": async (cluster, node) => {
    const both = [node, cluster.besides(node.id)[0]!];
    await Promise.all(both.map((each) => each.kill()));
    await upTo(4_000);
    await Promise.all(both.map((each) => each.start()));
  },
};

function upTo(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms * Math.random()));
}

function anyOf<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)]!;
}

/** Some rounds, in each of which much goes wrong. */
export async function byChance(cluster: KafkaCluster): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const happened: string[] = [];
    const loads = await underLoad(cluster, `chance-${round}`, {}, async () => {
      for (let i = 0; i < 8; i++) {
        const [node, trouble] = [anyOf(cluster.nodes), anyOf(Object.keys(TROUBLES))];
        happened.push(`node ${node.id} is ${trouble}`);
        await TROUBLES[trouble]!(cluster, node);
        if (Math.random() < 0.5) await cluster.inSync();
      }
      await cluster.inSync();
    });
    try {
      await assertDelivered(cluster, loads);
    } catch (error) {
      throw new Error(happened.join(", "), { cause: error });
    }
  }
}
