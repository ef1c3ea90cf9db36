import assert from "node:assert/strict";
import type { Json } from "../../../plugins/sdk/mod.ts";
import { INIT_PRODUCER_ID_KEY, METADATA_KEY } from "../../../plugins/sink_kafka/cluster/versions.ts";
import { PRODUCE_KEY } from "../../../plugins/sink_kafka/cluster/produce_api.ts";
import { OLDER_RELEASES, WITHOUT_PRODUCER_IDS } from "../../support/compatibility.ts";
import { readTopic, readTopicByJava, type TopicRecord } from "../../support/consume.ts";
import { QUICK_JVM } from "../../support/java_server.ts";
import { type KafkaOptions, type KafkaServer, startKafka } from "../../support/kafka.ts";
import {
  Delivery,
  openInProcess,
  openKafkaSink,
  type RecordDraft,
  startKafkaSink,
} from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { freePort } from "../../support/port.ts";
import { RequestTap } from "../../support/request_tap.ts";
import { SinkLoad } from "../../support/sink_load.ts";
import { waitUntil } from "../../support/wait.ts";

/** How a broker ends under load. */
type End = "killed" | "stopped";

const FULL = Deno.env.get("TIDE_TEST_TIER") === "full";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

const USER = { username: "relay", password: "relay's secret" };

/** A broker of an older release, and the line on which all its clients reach it. */
interface Place extends AsyncDisposable {
  readonly kafka: KafkaServer;
  readonly tap: RequestTap;
  /** Where clients authenticate themselves, not on the line. */
  readonly secure: string;
}

async function startPlace(options: Pick<KafkaOptions, "version" | "mode">): Promise<Place> {
  const secure = { name: "SASL", port: freePort(), protocol: "SASL_PLAINTEXT" } as const;
  const port = freePort();
  const kafka = await startKafka({
    ...options,
    jvmOptions: ["-Xmx384m", ...QUICK_JVM],
    listeners: [secure],
    settings: {
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},SASL://127.0.0.1:${secure.port}`,
      "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-256",
      "listener.name.sasl.scram-sha-256.sasl.jaas.config":
        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
      "auto.create.topics.enable": "true",
      "num.partitions": "3",
    },
  });
  const tap = await RequestTap.to(Number(kafka.brokers.split(":")[1]), port);
  return {
    kafka,
    tap,
    secure: `127.0.0.1:${secure.port}`,
    [Symbol.asyncDispose]: async () => {
      await tap[Symbol.asyncDispose]();
      await kafka.stop();
    },
  };
}

for (const { version, mode, metadata } of OLDER_RELEASES) {
  Deno.test(`the Kafka sink with Apache Kafka ${version} (${mode})`, async (t) => {
    await using place = await startPlace({ version, mode });
    await t.step(
      "every codec, idempotent or not, is read by the release's own consumer",
      () => codecs(place),
    );
    await t.step("headers, null keys and tombstones arrive as they are", () => fields(place));
    await t.step(
      "a record that is too large is rejected alone, and so is one that the topic refuses",
      () => rejected(place),
    );
    await t.step("a missing topic is waited for, or made by the broker", () => missing(place));
    await t.step("SCRAM-SHA-256", () => scram(place));
    const ends: readonly End[] = FULL ? ["killed", "stopped"] : [mode === "kraft" ? "killed" : "stopped"];
    for (const end of ends) {
      await t.step(`a broker that is ${end} under load, and comes back`, () => comesBack(place, end));
    }
    await t.step("the versions spoken are the best that both sides know, all the time", () => {
      const spoken = (key: number) =>
        new Set(
          place.tap.requests.filter(isOurs).filter(({ apiKey }) => apiKey === key).map(({ version }) =>
            version
          ),
        );
      assert.deepEqual([PRODUCE_KEY, METADATA_KEY, INIT_PRODUCER_ID_KEY].map(spoken), [
        new Set([9]),
        new Set([metadata]),
        new Set([4]),
      ]);
    });
  });
}

/** Others use the line too: who makes topics, and who reads them. */
function isOurs({ clientId }: { readonly clientId: string | null }): boolean {
  return clientId === "pg-tide";
}

/** Deliver pages without any trouble. */
async function deliver(
  fields: Readonly<Record<string, Json>>,
  topic: string,
  ...pages: readonly (readonly RecordDraft[])[]
): Promise<void> {
  await using delivery = new Delivery(await openInProcess(fields));
  for (const page of pages) await delivery.offer(topic, page);
  await delivery.drained();
  assert.deepEqual([delivery.states, delivery.letters], [[], []]);
}

async function codecs({ kafka, tap }: Place): Promise<void> {
  await kafka.createTopic("codecs", 3);
  const sets: NumberedRecords[] = [];
  for (const compression of CODECS) {
    for (const idempotent of [true, false]) {
      const records = new NumberedRecords({ prefix: `${compression}, ${idempotent}` });
      const fields = { brokers: `127.0.0.1:${tap.port}`, compression, idempotent };
      await deliver(fields, "codecs", records.take(1), records.take(700), records.take(99));
      sets.push(records);
    }
  }
  const read = await readTopicByJava(kafka.tools, kafka.brokers, "codecs");
  assert.equal(read.length, sets.length * 800);
  for (const records of sets) records.assertExactlyOnce(read);
}

async function fields({ kafka, tap }: Place): Promise<void> {
  await kafka.createTopic("fields", 1);
  const createdMs = Date.now() - 5_000;
  const drafts: readonly RecordDraft[] = [
    { key: "k-é", value: '{"a":"東"}', headers: [["name", "größe"], ["name", null]], createdMs },
    { key: null, value: "", createdMs },
    { key: "gone", value: null, createdMs },
  ];
  await deliver({ brokers: `127.0.0.1:${tap.port}`, idempotent: true }, "fields", drafts);
  const expected = drafts.map(({ key, value, headers = [] }) => ({
    key,
    value,
    headers,
    timestamp: createdMs,
  }));
  const decoder = new TextDecoder();
  const text = (bytes: Uint8Array | null) => bytes === null ? null : decoder.decode(bytes);
  const plain = ({ key, value, headers, timestamp }: TopicRecord) => ({
    key: text(key),
    value: text(value),
    headers: headers.map(([name, bytes]) => [name, text(bytes)]),
    timestamp,
  });
  assert.deepEqual((await readTopicByJava(kafka.tools, kafka.brokers, "fields")).map(plain), expected);
  assert.deepEqual((await readTopic(kafka.brokers, "fields")).map(plain), expected);
}

async function rejected({ kafka, tap }: Place): Promise<void> {
  await kafka.createTopic("rejected", 1, { "max.message.bytes": "20000", "cleanup.policy": "compact" });
  const records = new NumberedRecords();
  const page = records.take(200);
  page.splice(120, 0, { key: "large", value: crypto.getRandomValues(new Uint8Array(30_000)) });
  page.splice(40, 0, { value: "no key" });
  await using delivery = new Delivery(
    await openInProcess({ brokers: `127.0.0.1:${tap.port}`, idempotent: true }),
  );
  await delivery.offer("rejected", page);
  await delivery.offer("rejected", records.take(200));
  await delivery.drained();
  assert.deepEqual(delivery.states, []);
  // The broker names the one (in `record_errors`); the other one is looked for.
  assert.deepEqual(
    new Map(delivery.letters.map(({ recordKey, code }) => [recordKey, code])),
    new Map([[null, "INVALID_RECORD"], ["large", "MESSAGE_TOO_LARGE"]]),
  );
  assert.equal(delivery.letters.length, 2);
  records.assertExactlyOnce(await readTopic(kafka.brokers, "rejected"));
}

async function missing({ kafka, tap }: Place): Promise<void> {
  const brokers = `127.0.0.1:${tap.port}`;
  const made = new NumberedRecords();
  await deliver({ brokers, idempotent: true }, "made-by-the-broker", made.take(300));
  made.assertExactlyOnce(await readTopic(kafka.brokers, "made-by-the-broker"));
  assert.equal((await kafka.offsets("made-by-the-broker")).length, 3);
  const late = new NumberedRecords();
  await using delivery = new Delivery(await openInProcess({ brokers, allow_auto_create_topics: false }));
  await delivery.offer("late", late.take(300));
  const state = await waitUntil(() => delivery.states[0], { what: "the pipeline to be blocked" });
  assert.deepEqual([state.state, "code" in state && state.code], ["blocked", "UNKNOWN_TOPIC_OR_PARTITION"]);
  await kafka.createTopic("late", 2);
  delivery.poke();
  await delivery.drained();
  assert.deepEqual(delivery.letters, []);
  late.assertExactlyOnce(await readTopic(kafka.brokers, "late"));
}

async function scram({ kafka, secure }: Place): Promise<void> {
  const { username, password } = USER;
  await kafka.tools.setPassword(username, password, "SCRAM-SHA-256");
  await kafka.createTopic("scram", 1);
  const records = new NumberedRecords();
  const fields = { brokers: secure, sasl_mechanism: "SCRAM-SHA-256", sasl_username: username };
  await deliver({ ...fields, sasl_password: password }, "scram", records.take(100));
  records.assertExactlyOnce(await readTopic(kafka.brokers, "scram"));
  const refused = await startKafkaSink({ ...fields, sasl_password: "another" });
  assert.ok("fault" in refused && refused.fault.kind === "configuration");
  assert.equal(refused.fault.code, "SASL_AUTHENTICATION_FAILED");
}

async function comesBack({ kafka, tap }: Place, end: End): Promise<void> {
  const topics = { idempotent: end, plain: `${end}-plain` };
  for (const topic of Object.values(topics)) await kafka.createTopic(topic, 3);
  const brokers = `127.0.0.1:${tap.port}`;
  await using idempotent = await SinkLoad.start(topics.idempotent, { brokers, idempotent: true });
  await using plain = await SinkLoad.start(topics.plain, { brokers });
  const loads = [idempotent, plain];
  const passes = () => Promise.all(loads.map((load) => load.passes()));
  await passes();
  await (end === "killed" ? kafka.kill() : kafka.halt());
  await kafka.start();
  await passes();
  for (const load of loads) {
    await load.finish();
    assert.deepEqual(load.delivery.letters, []);
  }
  idempotent.records.assertExactlyOnce(await readTopic(kafka.brokers, topics.idempotent));
  plain.records.assertInOrder(await readTopic(kafka.brokers, topics.plain));
}

Deno.test(`the Kafka sink with Apache Kafka ${WITHOUT_PRODUCER_IDS} in KRaft mode, without producer ids`, async () => {
  await using kafka = await startKafka({ version: WITHOUT_PRODUCER_IDS, mode: "kraft" });
  const { brokers } = kafka;
  // kafkajs makes topics through the controller alone, whom this release does not name.
  await kafka.tools.topics(["--create", "--topic", "events", "--partitions", "3"]);
  const refused = await startKafkaSink({ brokers, idempotent: true });
  assert.ok("fault" in refused && refused.fault.kind === "configuration", JSON.stringify(refused));
  assert.equal(refused.fault.code, "IDEMPOTENCE_NOT_OFFERED");
  assert.match(
    refused.fault.advice,
    /^Set idempotent to false, or use a cluster that supports idempotent producers/,
  );
  const records = new NumberedRecords();
  {
    await using delivery = new Delivery(await openKafkaSink({ brokers, compression: "zstd" }));
    for (let page = 0; page < 5; page++) await delivery.offer("events", records.take(300));
    await delivery.drained();
    assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  }
  records.assertExactlyOnce(await readTopicByJava(kafka.tools, brokers, "events"));
});
