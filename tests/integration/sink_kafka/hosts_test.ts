/** Brokers that the cluster names only later: the Worker that may reach them is a new one, and must not cut off what is in flight. */

import assert from "node:assert/strict";
import { readTopic } from "../../support/consume.ts";
import { FaultProxy } from "../../support/fault_proxy.ts";
import { NO_FAULTS } from "../../support/fault_schedule.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { Delivery, openKafkaSink } from "../../support/kafka_sink.ts";
import { METADATA_KEY } from "../../support/metadata_wire.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { PRODUCE_KEY } from "../../support/produce_wire.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

Deno.test("the Kafka sink's Worker gives way to one that may reach a new broker only when nothing is in flight", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 2);
  const release = Promise.withResolvers<void>();
  let holding = false;
  let asked = 0;
  await using proxy = await FaultProxy.start({
    brokers: kafka.brokers,
    seed: 1,
    nodes: 3,
    mix: NO_FAULTS,
    plan: ({ node }, apiKey) => {
      if (apiKey === METADATA_KEY) asked++;
      if (!holding || node !== 1 || apiKey !== PRODUCE_KEY) return undefined;
      holding = false;
      return { until: release.promise };
    },
  });
  const [first, second, unheard] = proxy.nodes;
  proxy.advertised = [first!, second!];
  proxy.lead(topic.name, 0, 1);
  proxy.lead(topic.name, 1, 2);
  const records = new NumberedRecords();
  const fields = { brokers: `127.0.0.1:${second!.port}`, idempotent: true, linger_ms: 0 };
  await using delivery = new Delivery(await openKafkaSink(fields));
  await delivery.offer(topic.name, records.take(100));
  await delivery.drained();
  const connections = () => [1, 2, 3].map((nodeId) => proxy.connectionsOf(nodeId));
  const before = connections();
  assert.equal(before[2], 0);

  // The first broker has its part of the next page and does not say so; then a third one leads, whose address is in no grant.
  holding = true;
  proxy.advertised = [first!, second!, unheard!];
  proxy.lead(topic.name, 1, 3);
  asked = 0;
  const delivered = (async () => {
    for (let page = 0; page < 3; page++) await delivery.offer(topic.name, records.take(100));
    await delivery.drained();
  })();
  await waitUntil(() => asked > 0 && !holding, { what: "the sink to hear of the third broker" });
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(connections(), before);

  release.resolve();
  await delivered;
  const after = connections();
  assert.ok(after[1]! > before[1]! && after[2]! > 0, `another Worker has connected: ${before} to ${after}`);
  assert.deepEqual([delivery.letters, proxy.errors], [[], []]);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});
