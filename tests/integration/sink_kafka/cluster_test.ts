/**
 * The sink on a cluster of three brokers, each partition on all of them, while brokers go and come.
 */

import { KafkaCluster } from "../../support/kafka_cluster.ts";
import { frozen, killed, readdressed, restarted, twoKilled } from "./cluster/brokers.ts";
import { byChance } from "./cluster/chance.ts";
import { FULL } from "./cluster/loads.ts";
import { createdAgain, moved } from "./cluster/topics.ts";

Deno.test("the Kafka sink on a cluster of three brokers", async (t) => {
  await using cluster = await KafkaCluster.start();
  await t.step(
    "all brokers are restarted one after the other, and leaders go back",
    () => restarted(cluster),
  );
  await t.step("a broker is killed, the controller or another leader", () => killed(cluster));
  await t.step("two brokers are killed: a write waits for enough replicas", () => twoKilled(cluster));
  await t.step("leaders and replicas are moved, and a topic gets more partitions", () => moved(cluster));
  await t.step("topics are deleted and created again", () => createdAgain(cluster));
  await t.step("a broker comes back at another address", () => readdressed(cluster));
  if (!FULL) return;
  await t.step("a broker stands still for longer than requests may take", () => frozen(cluster));
  await t.step("brokers go in every way, by chance", () => byChance(cluster));
});
