/**
 * Brokers that are restarted, that die, that stand still, and that come back elsewhere.
 *
 * @module
 */

import assert from "node:assert/strict";
import { openSink } from "../../../../plugins/sink_kafka/sink.ts";
import { readTopic } from "../../../support/consume.ts";
import type { KafkaCluster } from "../../../support/kafka_cluster.ts";
import { kafkaConfig, recordPage } from "../../../support/kafka_sink.ts";
import { SinkLoad } from "../../../support/sink_load.ts";
import { assertDelivered, assertNoFaults, FULL, type Loads, PARTITIONS, ROUNDS, underLoad } from "./loads.ts";

/** All brokers are restarted one after the other, as for an upgrade, and leaders go back to where they were. */
export async function restarted(cluster: KafkaCluster): Promise<void> {
  // Most of a list may be dead: one broker names the others.
  const brokers = `127.0.0.1:1,no-such-host.invalid:9092,${cluster.nodes[0]!.address}`;
  const loads = await underLoad(cluster, "restarted", { brokers }, async ({ passes }) => {
    for (let round = 0; round < ROUNDS; round++) {
      for (const node of cluster.nodes) {
        await node.halt();
        await passes();
        await node.start();
        await cluster.inSync();
        await passes();
      }
      await cluster.tools.electPreferredLeaders();
    }
  });
  await assertDelivered(cluster, loads);
  assertNoFaults(loads);
}

/** The controller is killed, and then a broker that leads a partition. */
export async function killed(cluster: KafkaCluster): Promise<void> {
  const loads = await underLoad(cluster, "killed", {}, async (loads) => {
    for (let round = 0; round < ROUNDS; round++) {
      const controller = await cluster.controller();
      await killOne(cluster, controller, loads, () => Promise.resolve());
      assert.notEqual(await cluster.controller(), controller);
      await killLeader(cluster, loads);
    }
  });
  await assertDelivered(cluster, loads);
  assertNoFaults(loads);
}

/** Kill a node and let it come back when the others have gone on for a while. */
async function killOne(
  cluster: KafkaCluster,
  id: number,
  { both, passes }: Loads,
  meanwhile: () => Promise<void>,
): Promise<void> {
  await cluster.node(id).kill();
  await cluster.lost(id, both.map(({ topic }) => topic));
  await passes();
  await meanwhile();
  await cluster.node(id).start();
  await cluster.inSync();
}

/** The same, beside a topic that needs all replicas, and one that has a partition on this node alone. */
async function killLeader(cluster: KafkaCluster, loads: Loads): Promise<void> {
  const [leader] = await cluster.leaders(loads.idempotent.topic);
  const homes = [leader!, ...cluster.besides(leader!).map(({ id }) => id)];
  const [strictTopic, lonely] = [`strict-${crypto.randomUUID()}`, `lonely-${crypto.randomUUID()}`];
  await cluster.createTopic(strictTopic, PARTITIONS, { "min.insync.replicas": "3" });
  await cluster.createTopic(lonely, homes.length, { "min.insync.replicas": "1" }, (i) => [homes[i]!]);
  await using strict = await SinkLoad.start(strictTopic, { brokers: cluster.brokers, idempotent: true });
  await strict.passes();
  await killOne(cluster, leader!, loads, async () => {
    const { pages } = strict;
    await assertOthersGoOn(cluster, lonely, homes.length);
    await loads.passes();
    assert.equal(strict.pages, pages, "nothing is acknowledged that not all replicas have");
  });
  await strict.passes();
  await strict.finish();
  assert.deepEqual([strict.delivery.states, strict.delivery.letters], [[], []]);
  strict.records.assertExactlyOnce(await readTopic(cluster.brokers, strictTopic));
}

/** A partition without a leader holds up nobody else's records, as far as the sink has them. */
async function assertOthersGoOn(cluster: KafkaCluster, topic: string, partitions: number): Promise<void> {
  await cluster.leaderless(topic);
  const times = { request_timeout_ms: 1_000, delivery_timeout_ms: 2_000 };
  const sink = await openSink(
    kafkaConfig({ brokers: cluster.brokers, idempotent: true, linger_ms: 0, ...times }),
  );
  const drafts = Array.from({ length: 60 }, (_, i) => ({ value: `${i}`, partition: i % partitions }));
  const { delivered, rejected, fault } = await sink.deliver(recordPage(topic, drafts), 1);
  await sink.close();
  assert.equal(fault?.kind === "unavailable" && fault.code, "LEADER_NOT_AVAILABLE", JSON.stringify(fault));
  assert.match(
    fault!.kind === "unavailable" ? fault!.reason : "",
    /^Partition 0 of topic "lonely-[^"]*" has no leader/,
  );
  assert.deepEqual(rejected, []);
  assert.deepEqual(indexesOf(delivered), drafts.flatMap(({ partition }, i) => partition === 0 ? [] : [i]));
}

/** The indexes in ranges of an answer: begin and end of each. */
function indexesOf(ranges: Iterable<number>): number[] {
  const bounds = [...ranges];
  return bounds.flatMap((from, i) => i % 2 === 0 ? range(from, bounds[i + 1]!) : []);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Two of three are killed: there is no majority of controllers, and no write has enough replicas. */
export async function twoKilled(cluster: KafkaCluster): Promise<void> {
  const fields = { request_timeout_ms: 1_000 };
  const loads = await underLoad(cluster, "two-killed", fields, async ({ idempotent }) => {
    const [leader] = await cluster.leaders(idempotent.topic);
    const others = cluster.besides(leader!);
    await Promise.all(others.map((node) => node.kill()));
    // Without a majority of controllers nobody even notices: what is sent to the third one waits for its replicas until it times out.
    await new Promise((resolve) => setTimeout(resolve, FULL ? 15_000 : 3_000));
    await Promise.all(others.map((node) => node.start()));
    await cluster.inSync();
  });
  await assertDelivered(cluster, loads);
  for (const { delivery } of loads.both) {
    assert.deepEqual(delivery.states.filter(({ state }) => state !== "waiting" && state !== "running"), []);
  }
}

/** A broker comes back at another address. */
export async function readdressed(cluster: KafkaCluster): Promise<void> {
  const node = cluster.nodes[1]!;
  const before = node.address;
  const loads = await underLoad(cluster, "readdressed", {}, async () => {
    await node.halt();
    await node.move();
    await node.start();
    await cluster.inSync();
    await cluster.tools.electPreferredLeaders();
  });
  assert.notEqual(node.address, before);
  for (const { topic, records, delivery } of loads.both) {
    // The sink's Worker starts again with leave to reach the new address, and so with another producer id.
    assert.deepEqual(delivery.states.map((state) => "code" in state ? state.code : state.state), [
      "NEW_HOSTS",
      "running",
    ]);
    records.assertInOrder(await readTopic(cluster.brokers, topic));
  }
}

/** A broker stands still for longer than requests may take, and wakes up. */
export async function frozen(cluster: KafkaCluster): Promise<void> {
  const fields = { request_timeout_ms: 3_000 };
  const loads = await underLoad(cluster, "frozen", fields, async ({ idempotent, passes }) => {
    for (let round = 0; round < ROUNDS; round++) {
      const [leader] = await cluster.leaders(idempotent.topic);
      const node = cluster.node(leader!);
      await node.freeze();
      // The cluster misses it, and others lead; it wakes up as one that believes to lead.
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      await passes();
      await node.thaw();
      await cluster.inSync();
      await passes();
    }
  });
  await assertDelivered(cluster, loads);
  assertNoFaults(loads);
}
