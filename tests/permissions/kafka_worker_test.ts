import assert from "node:assert/strict";
import type { Answer, Opened, PluginConfig } from "../../plugins/sdk/mod.ts";
import { transferables } from "../../plugins/sdk/transfer.ts";
import { MANIFEST } from "../../plugins/sink_kafka/manifest.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { type Logger, SILENT } from "../../src/base/telemetry.ts";
import { resolveAsset } from "../../src/host/asset.ts";
import { computeGrant } from "../../src/host/grant.ts";
import { type Reply, WorkerHost } from "../../src/host/worker_host.ts";
import { CutProxy } from "../support/cut_proxy.ts";
import { sharedKafka } from "../support/kafka.ts";
import { kafkaConfig, openKafkaSink, recordPage } from "../support/kafka_sink.ts";
import { testTopic } from "../support/test_topic.ts";

const WORKER = import.meta.resolve("../../plugins/sink_kafka/worker.ts");
const ATTEMPTS = import.meta.resolve("./kafka_attempts.ts");

/** Start a Worker with the grant that the Kafka sink has under a configuration, before it has discovered anything. */
function startWorker(url: string, { fields }: PluginConfig, log: Logger = SILENT): Promise<WorkerHost> {
  const grant = computeGrant({
    description: MANIFEST,
    origin: "first_party",
    fields,
    discovered: [],
    operatorNet: [],
    resolveAsset,
  });
  return WorkerHost.start({ plugin: "kafka", entry: { url }, grant, clock: SYSTEM_CLOCK, log });
}

function open(worker: WorkerHost, config: PluginConfig): Promise<Reply<Opened>> {
  const read = ({ opened }: Readonly<Record<string, unknown>>) => opened as Opened;
  return worker.request({ t: "open", config }, { reply: "opened", timeoutMs: 30_000, read });
}

function deliver(worker: WorkerHost, topic: string): Promise<Reply<Answer>> {
  const page = recordPage(topic, [{ key: "k", value: "v" }]);
  const read = ({ answer }: Readonly<Record<string, unknown>>) => answer as Answer;
  const expectation = { reply: "answer", timeoutMs: 30_000, read } as const;
  return worker.request({ t: "deliver", generation: 1, page }, expectation, transferables(page));
}

Deno.test("the Kafka sink's Worker can do its work, and read no variable, no file and no other host", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  const said = Promise.withResolvers<string>();
  const log: Logger = { ...SILENT, info: (_text, fields) => said.resolve(String(fields?.["text"])) };
  const config = kafkaConfig({ brokers: kafka.brokers, compression: "lz4" });
  const worker = await startWorker(ATTEMPTS, config, log);
  const outcomes: Record<string, string> = JSON.parse(await said.promise);
  assert.ok(Object.keys(outcomes).length > 10);
  const got = Object.entries(outcomes).filter(([, outcome]) => outcome !== "refused");
  assert.deepEqual(got, []);
  assert.ok("value" in await open(worker, config));
  const answer = await deliver(worker, topic.name);
  assert.ok("value" in answer && answer.value.delivered.length === 2, JSON.stringify(answer));
  await worker.close();
  assert.equal(await topic.count(), 1);
});

Deno.test("the Kafka sink asks for the brokers that are not in its grant, and then has them", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  await using line = await CutProxy.to(Number(kafka.brokers.split(":")[1]));
  const bootstrap = `127.0.0.1:${line.port}`;
  const config = kafkaConfig({ brokers: bootstrap });
  const worker = await startWorker(WORKER, config);
  assert.ok("value" in await open(worker, config));
  const answer = await deliver(worker, topic.name);
  assert.ok("value" in answer);
  assert.deepEqual(answer.value.fault, { kind: "hosts", hosts: [bootstrap, kafka.brokers] });
  worker.terminate();

  const sink = await openKafkaSink({ brokers: bootstrap });
  const delivered = await sink.deliver(recordPage(topic.name, [{ key: "k", value: "v" }]), 1);
  assert.deepEqual([...delivered.delivered], [0, 1], JSON.stringify(delivered));
  await sink.close();
});
