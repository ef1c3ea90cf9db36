/**
 * The sink on a cluster of three brokers, each partition on all of them, while brokers go and come.
 */

import assert from "node:assert/strict";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import type { Json } from "../../../plugins/sdk/mod.ts";
import { readTopic } from "../../support/consume.ts";
import { topicOffsets } from "../../support/kafka_admin.ts";
import { KafkaCluster } from "../../support/kafka_cluster.ts";
import { kafkaConfig, recordPage } from "../../support/kafka_sink.ts";
import { SinkLoad } from "../../support/sink_load.ts";
import { waitUntil } from "../../support/wait.ts";

const FULL = Deno.env.get("TIDE_TEST_TIER") === "full";

/** How often brokers go in each way. */
const ROUNDS = FULL ? 2 : 1;

const PARTITIONS = 6;

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
  if (FULL) await t.step("a broker stands still for longer than requests may take", () => frozen(cluster));
});

/** Two sinks at work, one of them idempotent. */
interface Loads {
  readonly idempotent: SinkLoad;
  readonly plain: SinkLoad;
  readonly both: readonly [SinkLoad, SinkLoad];
  /** Wait until each has delivered something that it has not even been given yet. */
  passes(): Promise<void>;
}

/** Let two loads go on while something happens, each on a topic of its own, and check what was promised about records. */
async function underLoad(
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

async function assertDelivered(cluster: KafkaCluster, { idempotent, plain }: Loads): Promise<void> {
  idempotent.records.assertExactlyOnce(await readTopic(cluster.brokers, idempotent.topic));
  plain.records.assertInOrder(await readTopic(cluster.brokers, plain.topic));
}

function assertNoFaults({ both }: Loads): void {
  for (const { topic, delivery } of both) assert.deepEqual(delivery.states, [], topic);
}

async function restarted(cluster: KafkaCluster): Promise<void> {
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

async function killed(cluster: KafkaCluster): Promise<void> {
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

async function twoKilled(cluster: KafkaCluster): Promise<void> {
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

async function moved(cluster: KafkaCluster): Promise<void> {
  const loads = await underLoad(cluster, "moved", {}, async ({ both, passes }) => {
    const topics = both.map(({ topic }) => topic);
    const growth = grown(cluster);
    for (let round = 1; round <= 2 * ROUNDS; round++) {
      await cluster.reassign(topics, (partition) => [0, 1].map((i) => (partition + round + i) % 3 + 1));
      await passes();
    }
    await growth;
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

/** What Kafka deletes is gone, acknowledged or not. From there on nothing may be missing, and the order holds. */
async function createdAgain(cluster: KafkaCluster): Promise<void> {
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

async function readdressed(cluster: KafkaCluster): Promise<void> {
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

async function frozen(cluster: KafkaCluster): Promise<void> {
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
