import { strict as assert } from "node:assert";
import { readTopic, textOf } from "../support/consume.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { NO_FAULTS } from "../support/fault_schedule.ts";
import { type KafkaServer, startKafka } from "../support/kafka.ts";
import { freePort } from "../support/port.ts";
import { sharedPostgres } from "../support/postgres.ts";
import type { RelayProcess } from "../support/relay_process.ts";
import { Deployment } from "./deployment.ts";

/** What each step works with: a broker of its own, which may go, and a relay beside it that must not mind. */
interface Place {
  readonly kafka: KafkaServer;
  readonly deployment: Deployment;
  readonly relay: RelayProcess;
}

const configOf = ({ brokers }: KafkaServer, topic: string) => ({
  sink_type: "kafka",
  brokers,
  topic,
  compression: "zstd",
  acks: "all",
  idempotent: true,
});

/** The numbers that the records of a topic carry, in the order of the topic's one partition. */
async function numbersIn({ brokers }: KafkaServer, topic: string): Promise<readonly number[]> {
  return (await readTopic(brokers, topic)).map((record) => JSON.parse(textOf(record).value!).n);
}

async function publishNumbers(
  deployment: Deployment,
  outbox: string,
  first: number,
  count: number,
): Promise<void> {
  for (let n = first; n < first + count; n++) await deployment.publish(outbox, { n }, "key");
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

Deno.test("Kafka's bad days: waited for or told, with nothing lost and no dead letters", async (t) => {
  await using kafka = await startKafka();
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await deployment.addHealthy();
  await kafka.createTopic("at_start", 1);
  await kafka.createTopic("in_the_middle", 1);
  await kafka.halt();
  await using relay = await deployment.startRelay();
  const place = { kafka, deployment, relay };
  await t.step("a broker that is not there at the start", () => missingAtStart(place));
  await t.step("a topic that does not exist", () => missingTopic(place));
  await t.step("a broker that goes in the middle", () => goneInTheMiddle(place));
  await t.step("several brokers, of which one is there", () => oneOfSeveral(place));
  await t.step("a port where something else listens", () => notKafka(place));
  await t.step("a broker that takes connections and never answers", () => hangs(place));
  await t.step("a broker that advertises an address where nobody is", () => advertisedElsewhere(place));
  assert.equal(await relay.stop(), 0);
});

async function missingAtStart({ kafka, deployment, relay }: Place): Promise<void> {
  await deployment.addPipeline("at_start", configOf(kafka, "at_start"));
  await publishNumbers(deployment, "at_start", 0, 5);
  const { code, reason } = await deployment.fails("at_start", "waiting");
  assert.equal(code, "BROKER_UNREACHABLE");
  assert.ok(reason.includes(kafka.brokers), reason);
  assert.match(reason, /ECONNREFUSED.*Check that broker addresses are correct and include ports/);
  assert.equal((await deployment.pipeline("at_start")).lag_messages, 5);
  await deployment.healthyGoesOn(relay);
  await kafka.start();
  await deployment.reaches("at_start", "idle");
  assert.deepEqual(await numbersIn(kafka, "at_start"), range(5));
  assert.equal(await deployment.deadLetters("at_start"), 0);
}

async function missingTopic({ kafka, deployment, relay }: Place): Promise<void> {
  await deployment.addPipeline("no_topic", configOf(kafka, "not-there.{op}"));
  await publishNumbers(deployment, "no_topic", 0, 5);
  const { code, reason, advice } = await deployment.fails("no_topic", "blocked");
  assert.equal(code, "UNKNOWN_TOPIC_OR_PARTITION");
  assert.match(reason, /^Topic does not exist: "not-there\.insert"/);
  assert.match(
    advice ?? "",
    /^Create the topic: kafka-topics --create --topic not-there\.insert --partitions 6 --replication-factor 3;/,
  );
  await deployment.healthyGoesOn(relay);
  await kafka.createTopic("not-there.insert", 1);
  await deployment.reaches("no_topic", "idle");
  assert.deepEqual(await numbersIn(kafka, "not-there.insert"), range(5));
  assert.equal(await deployment.deadLetters("no_topic"), 0);
}

async function goneInTheMiddle({ kafka, deployment, relay }: Place): Promise<void> {
  await deployment.addPipeline("in_the_middle", configOf(kafka, "in_the_middle"));
  await publishNumbers(deployment, "in_the_middle", 0, 20);
  await deployment.reaches("in_the_middle", "idle");
  await kafka.kill();
  await publishNumbers(deployment, "in_the_middle", 20, 20);
  const { code, reason } = await deployment.fails("in_the_middle", "waiting");
  assert.equal(code, "BROKER_UNREACHABLE");
  assert.ok(reason.includes(kafka.brokers), reason);
  assert.equal((await deployment.pipeline("in_the_middle")).lag_messages, 20);
  await deployment.healthyGoesOn(relay);
  await kafka.start();
  await deployment.reaches("in_the_middle", "idle");
  assert.deepEqual([...new Set(await numbersIn(kafka, "in_the_middle"))], range(40));
  assert.equal(await deployment.deadLetters("in_the_middle"), 0);
}

async function oneOfSeveral({ kafka, deployment }: Place): Promise<void> {
  await kafka.createTopic("one_of_several", 1);
  const brokers = `127.0.0.1:1, no-such-host.invalid:9092, ${kafka.brokers}`;
  await deployment.addPipeline("one_of_several", { ...configOf(kafka, "one_of_several"), brokers });
  await publishNumbers(deployment, "one_of_several", 0, 5);
  await deployment.reaches("one_of_several", "idle");
  assert.deepEqual(await numbersIn(kafka, "one_of_several"), range(5));
}

async function notKafka({ kafka, deployment, relay }: Place): Promise<void> {
  const brokers = new URL(deployment.url).host;
  await deployment.addPipeline("not_kafka", { ...configOf(kafka, "t"), brokers });
  await publishNumbers(deployment, "not_kafka", 0, 5);
  const { code, reason } = await deployment.fails("not_kafka", "waiting");
  assert.equal(code, "BROKER_UNREACHABLE");
  assert.ok(reason.includes(brokers), reason);
  assert.match(reason, /it may want TLS \(tls_enabled\) or SASL \(sasl_mechanism\)/);
  assert.equal(await deployment.deadLetters("not_kafka"), 0);
  await deployment.healthyGoesOn(relay);
}

/** So short that it is told soon. */
const IMPATIENT = { request_timeout_ms: 500, delivery_timeout_ms: 1_000, retry: { max_ms: 500 } };

async function hangs({ kafka, deployment, relay }: Place): Promise<void> {
  await kafka.createTopic("hangs", 1);
  await using line = await FaultProxy.start({ brokers: kafka.brokers, seed: 1, nodes: 1, mix: NO_FAULTS });
  line.silence(1);
  const { brokers } = line;
  await deployment.addPipeline("hangs", { ...configOf(kafka, "hangs"), ...IMPATIENT, brokers });
  await publishNumbers(deployment, "hangs", 0, 5);
  const { code, reason } = await deployment.fails("hangs", "waiting");
  assert.equal(code, "BROKER_UNREACHABLE");
  assert.ok(reason.startsWith(`Cannot reach Kafka broker ${brokers}: `), reason);
  assert.match(reason, /takes the connection and does not answer: it may hang or be overloaded.*Check that/);
  await deployment.healthyGoesOn(relay);
  line.unsilence(1);
  await deployment.reaches("hangs", "idle");
  assert.deepEqual(await numbersIn(kafka, "hangs"), range(5));
  assert.equal(await deployment.deadLetters("hangs"), 0);
}

async function advertisedElsewhere({ kafka, deployment, relay }: Place): Promise<void> {
  await kafka.createTopic("elsewhere", 1);
  await using line = await FaultProxy.start({ brokers: kafka.brokers, seed: 1, nodes: 1, mix: NO_FAULTS });
  const { brokers, nodes } = line;
  line.advertised = [{ nodeId: 1, host: "127.0.0.1", port: freePort() }];
  await deployment.addPipeline("elsewhere", { ...configOf(kafka, "elsewhere"), ...IMPATIENT, brokers });
  await publishNumbers(deployment, "elsewhere", 0, 5);
  const { code, reason } = await deployment.fails("elsewhere", "waiting");
  assert.equal(code, "BROKER_UNREACHABLE");
  assert.ok(reason.startsWith(`Cannot reach Kafka broker 127.0.0.1:${line.advertised[0]!.port} (`), reason);
  assert.match(
    reason,
    /\(the address that the cluster advertises: .* see advertised\.listeners\): .*ECONNREFUSED/,
  );
  await deployment.healthyGoesOn(relay);
  line.advertised = nodes;
  await deployment.reaches("elsewhere", "idle");
  assert.deepEqual(await numbersIn(kafka, "elsewhere"), range(5));
  assert.equal(await deployment.deadLetters("elsewhere"), 0);
}
