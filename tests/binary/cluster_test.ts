import { strict as assert } from "node:assert";
import { judge } from "../demo/verdict.ts";
import { readTopic, textOf } from "../support/consume.ts";
import { KafkaCluster } from "../support/kafka_cluster.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { Deployment } from "./deployment.ts";
import { OUTBOX, Publishers } from "./publishers.ts";

/** How often every broker is restarted, and one killed. */
const ROUNDS = Deno.env.get("TIDE_TEST_TIER") === "full" ? 3 : 1;

/** What the publishers may add in a tenth of a second. */
const MESSAGES = 200;

Deno.test("a cluster whose brokers are restarted and killed: nothing lost or repeated, order kept, no dead letters", async () => {
  await using cluster = await KafkaCluster.start();
  await cluster.createTopic(OUTBOX, 6);
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await deployment.addPipeline(OUTBOX, {
    sink_type: "kafka",
    brokers: cluster.brokers,
    topic: OUTBOX,
    compression: "zstd",
    acks: "all",
    idempotent: true,
    batch_size: 100,
  });
  await using publishers = await Publishers.start(deployment.connect(4));
  await using relay = await deployment.startRelay();
  const flow = setInterval(() => publishers.allow(MESSAGES), 100);
  try {
    for (let round = 0; round < ROUNDS; round++) await restartAndKill(cluster);
  } finally {
    clearInterval(flow);
  }
  await publishers.stop();
  await deployment.reaches(OUTBOX, "idle", 120_000);
  assert.equal(await relay.stop(), 0);
  assert.equal(await deployment.deadLetters(OUTBOX), 0);
  const { published, ...verdict } = judge(publishers.committed, await readAll(cluster));
  assert.deepEqual(verdict, { delivered: published, lost: 0, duplicated: 0, outOfOrder: 0, unexpected: 0 });
  assert.ok(published > 50 * MESSAGES, `only ${published} messages were published meanwhile`);
});

/** As an operator upgrades a cluster, and then as its machines end: the controller at once, with what it leads. */
async function restartAndKill(cluster: KafkaCluster): Promise<void> {
  for (const node of cluster.nodes) {
    await node.halt();
    await node.start();
    await cluster.inSync();
  }
  const controller = await cluster.controller();
  await cluster.node(controller).kill();
  await cluster.lost(controller, [OUTBOX]);
  await cluster.node(controller).start();
  await cluster.inSync();
}

async function readAll({ brokers }: KafkaCluster) {
  return (await readTopic(brokers, OUTBOX)).map((record) => {
    const { id } = JSON.parse(textOf(record).value!);
    return { id, partition: record.partition, offset: record.offset };
  });
}
