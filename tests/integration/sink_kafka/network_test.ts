/** What the network does to the sink, and what the sink says about it. */

import type { Answer, Json } from "../../../plugins/sdk/mod.ts";
import { FaultError } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { SYSTEM_CLOCK } from "../../../plugins/sink_kafka/clock.ts";
import { type KafkaSink, openSink } from "../../../plugins/sink_kafka/sink.ts";
import { readTopic } from "../../support/consume.ts";
import { CutProxy } from "../../support/cut_proxy.ts";
import { FaultProxy, type FaultProxyOptions } from "../../support/fault_proxy.ts";
import { NO_FAULTS } from "../../support/fault_schedule.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { Delivery, kafkaConfig, openInProcess, openKafkaSink, recordPage } from "../../support/kafka_sink.ts";
import { METADATA_KEY } from "../../support/metadata_wire.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { freePort } from "../../support/port.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

/** So short that an outage is told soon. */
const IMPATIENT = { request_timeout_ms: 1_000, delivery_timeout_ms: 3_000, linger_ms: 0 };

const CHECK =
  /Check that broker addresses are correct and include ports, that the network lets the relay through \(firewall rules, security groups, VPC peering\), that DNS resolves the broker hostnames, and that tls_enabled is set if the cluster requires TLS/;
const HANGS = /The broker takes the connection and does not answer: it may hang or be overloaded/;
const HANGS_UP = /The broker closed the connection: it may want/;
const ADVERTISED =
  /\(the address that the cluster advertises: the relay must be able to reach it, see advertised\.listeners\)/;

/** A proxy that does nothing to a cluster of one, unless its options say so. */
async function calm(options: Partial<FaultProxyOptions> = {}): Promise<FaultProxy> {
  const { brokers } = await sharedKafka();
  return await FaultProxy.start({ brokers, seed: 1, nodes: 1, mix: NO_FAULTS, ...options });
}

/** What is wrong, as the kernel would be told. */
async function faultOfOpening(fields: Readonly<Record<string, Json>>, clock = SYSTEM_CLOCK): Promise<string> {
  try {
    const sink = await openSink(kafkaConfig({ ...IMPATIENT, ...fields }), clock);
    await sink.close();
    return "none";
  } catch (error) {
    assert.ok(error instanceof FaultError && error.fault.kind === "unavailable", String(error));
    assert.equal(error.fault.code, "BROKER_UNREACHABLE");
    return error.fault.reason;
  }
}

/** Open the sink, as often as a busy machine needs with times so short. */
function opened(fields: Readonly<Record<string, Json>>): Promise<KafkaSink> {
  const config = kafkaConfig({ ...IMPATIENT, ...fields });
  return waitUntil(() => openSink(config).catch(() => undefined), { what: "the sink to open" });
}

function reasonIn({ fault }: Answer): string {
  assert.ok(fault?.kind === "unavailable", JSON.stringify(fault));
  assert.equal(fault.code, "BROKER_UNREACHABLE");
  return fault.reason;
}

/** Something that is no broker. */
class Impostor implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(onBytes: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", () => onBytes(socket));
    });
  }

  /** @param onBytes what it does when it is told something */
  static async start(onBytes: (socket: Socket) => void = () => {}): Promise<Impostor> {
    const impostor = new Impostor(onBytes);
    impostor.#server.listen(freePort(), "127.0.0.1");
    await once(impostor.#server, "listening");
    return impostor;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

Deno.test("the Kafka sink says who does not answer, who hangs up, and what to check", async (t) => {
  await using silent = await Impostor.start();
  await using closing = await Impostor.start((socket) => socket.end());
  await using resetting = await Impostor.start((socket) => socket.resetAndDestroy());
  const cases: readonly [what: string, port: number, fields: Record<string, Json>, says: RegExp][] = [
    ["never answers", silent.port, {}, HANGS],
    ["hangs up on ApiVersions", closing.port, {}, HANGS_UP],
    ["resets on ApiVersions", resetting.port, {}, /ECONNRESET.*it may want TLS \(tls_enabled\)/],
    ["hangs up in the TLS handshake", closing.port, { tls_enabled: true }, /it may want no TLS/],
    ["resets in the TLS handshake", resetting.port, { tls_enabled: true }, /it may want no TLS/],
    [
      "never answers in the TLS handshake",
      silent.port,
      { tls_enabled: true, connect_timeout_ms: 1_000 },
      /No connection within 1000 ms \(connect_timeout_ms\)/,
    ],
    ["refuses the connection", freePort(), {}, /ECONNREFUSED/],
  ];
  for (const [what, port, fields, says] of cases) {
    await t.step(`a broker that ${what}`, async () => {
      const reason = await faultOfOpening({ brokers: `127.0.0.1:${port}`, ...fields });
      assert.ok(reason.startsWith(`Cannot reach Kafka broker 127.0.0.1:${port}: `), reason);
      assert.match(reason, says);
      assert.match(reason, CHECK);
    });
  }
});

Deno.test("the Kafka sink needs one living entry in its bootstrap list, and tells of dead ones always the same", async () => {
  const kafka = await sharedKafka();
  await using proxy = await calm();
  await using silent = await Impostor.start();
  const dead = [`127.0.0.1:${silent.port}`, `127.0.0.1:${freePort()}`, "kafka.invalid:9092"];
  // Where the search begins is chance: each of them is once the first to be asked.
  for (let first = 0; first < 4; first++) {
    const clock = { ...SYSTEM_CLOCK, random: () => first / 4 };
    const living = { brokers: [...dead, proxy.brokers].join(","), request_timeout_ms: 300 };
    await waitUntil(async () => await faultOfOpening(living, clock) === "none", { what: "the living entry" });
    const reason = await faultOfOpening({ brokers: dead.join(","), request_timeout_ms: 300 }, clock);
    assert.ok(reason.startsWith(`Cannot reach Kafka broker ${dead[0]}: `), reason);
    assert.match(reason, /Nor does it work with any of the 2 other brokers$/);
  }
  await using topic = await testTopic(kafka, 2);
  const records = new NumberedRecords();
  await using delivery = new Delivery(
    await openKafkaSink({ brokers: [...dead, proxy.brokers].join(","), connect_timeout_ms: 1_000 }),
  );
  await delivery.offer(topic.name, records.take(100));
  await delivery.drained();
  assert.deepEqual(delivery.states, []);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

Deno.test("the Kafka sink says that it is the advertised address that cannot be reached", async () => {
  await using topic = await testTopic(await sharedKafka(), 1);
  await using silent = await Impostor.start();
  const addresses = [
    { host: "127.0.0.1", port: freePort(), says: /ECONNREFUSED/ },
    { host: "127.0.0.1", port: silent.port, says: HANGS },
    { host: "kafka.invalid", port: 9_092, says: /ENOTFOUND|EAI_AGAIN/ },
  ];
  await Promise.all(addresses.map(async ({ host, port, says }) => {
    await using proxy = await calm();
    proxy.advertised = [{ nodeId: 1, host, port }];
    const sink = await opened({ brokers: proxy.brokers });
    const reason = reasonIn(await sink.deliver(recordPage(topic.name, [{ value: "x" }]), 1));
    await sink.close();
    assert.ok(reason.startsWith(`Cannot reach Kafka broker ${host}:${port} `), reason);
    for (const part of [ADVERTISED, says, CHECK]) assert.match(reason, part);
  }));
});

Deno.test("the Kafka sink waits for a broker that hangs, names it, and goes on with the others and then with it", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 2);
  await using proxy = await calm({ nodes: 2 });
  proxy.lead(topic.name, 0, 1);
  proxy.lead(topic.name, 1, 2);
  const [good, hanging] = proxy.brokers.split(",") as [string, string];
  const sink = await opened({ brokers: good, idempotent: true });
  const page = (partition: number, value: string) => recordPage(topic.name, [{ value, partition }]);
  const delivered = async (...answers: Promise<Answer>[]) => {
    for (const answer of await Promise.all(answers)) assert.deepEqual([...answer.delivered], [0, 1]);
  };
  await delivered(sink.deliver(page(0, "a"), 1), sink.deliver(page(1, "b"), 1));
  proxy.silence(2);
  const stuck = sink.deliver(page(1, "c"), 1);
  await delivered(sink.deliver(page(0, "d"), 1));
  const reason = reasonIn(await stuck);
  assert.ok(reason.startsWith(`Cannot reach Kafka broker ${hanging} `), reason);
  assert.match(reason, HANGS);
  proxy.unsilence(2);
  await delivered(sink.deliver(page(1, "c"), 2));
  await sink.close();
  const values = (await readTopic(kafka.brokers, topic.name)).map(({ value }) =>
    new TextDecoder().decode(value!)
  );
  assert.deepEqual(values, ["a", "d", "b", "c"]);
});

Deno.test("the Kafka sink asks others than a broker that hangs, and does not wait for it with what is not its", async () => {
  const kafka = await sharedKafka();
  await using known = await testTopic(kafka, 1);
  await using unheard = await testTopic(kafka, 1);
  await using proxy = await calm({ nodes: 2 });
  const [, hanging] = proxy.brokers.split(",") as [string, string];
  proxy.lead(known.name, 0, 2);
  proxy.lead(unheard.name, 0, 1);
  // The first broker to be asked is the one that will hang, and requests wait for longer than the test does.
  const patient = { request_timeout_ms: 600_000, delivery_timeout_ms: 3_600_000, linger_ms: 0 };
  const sink = await openSink(kafkaConfig({ ...patient, brokers: hanging }));
  const page = ({ name }: { name: string }, value: string) => recordPage(name, [{ value }]);
  await sink.deliver(page(known, "a"), 1);
  proxy.silence(2);
  const stuck = sink.deliver(page(known, "b"), 1);
  // Until it has been silent for long enough to be suspected.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  let delivered = false;
  sink.deliver(page(unheard, "c"), 1).then(() => delivered = true);
  await waitUntil(() => delivered, { what: "the page for the broker that is well" });
  await sink.close();
  assert.ok((await stuck).fault !== undefined);
});

Deno.test("the Kafka sink opens, or says why not, before the kernel takes it for hung, however long a request may take", async () => {
  await using proxy = await calm({
    plan: (_, apiKey) => apiKey === METADATA_KEY ? { kind: "swallow" } : undefined,
  });
  // 30 s and more are a moment.
  const hurried = {
    ...SYSTEM_CLOCK,
    after: (ms: number, call: () => void) => SYSTEM_CLOCK.after(ms >= 30_000 ? 300 : ms, call),
  };
  const reason = await faultOfOpening({ brokers: proxy.brokers, request_timeout_ms: 600_000 }, hurried);
  assert.ok(
    reason.startsWith(`Cannot reach Kafka broker ${proxy.brokers}: No answer within 30000 ms`),
    reason,
  );
});

Deno.test("the Kafka sink gives up connections that a network has forgotten, and loses nothing", async (t) => {
  const kafka = await sharedKafka();
  for (const idempotent of [true, false]) {
    await t.step(idempotent ? "idempotent" : "not idempotent", async () => {
      await using topic = await testTopic(kafka, 3);
      await using line = await CutProxy.to(Number(kafka.brokers.split(":")[1]));
      await using proxy = await calm({ brokers: `127.0.0.1:${line.port}` });
      const records = new NumberedRecords();
      const fields = { ...IMPATIENT, delivery_timeout_ms: 60_000, brokers: proxy.brokers, idempotent };
      await using delivery = new Delivery(await openInProcess(fields));
      for (let round = 0; round < 2; round++) {
        await delivery.offer(topic.name, records.take(200));
        line.freeze();
        await delivery.offer(topic.name, records.take(200));
        await delivery.drained();
      }
      assert.deepEqual([delivery.states, delivery.letters], [[], []]);
      const read = await readTopic(kafka.brokers, topic.name);
      if (idempotent) records.assertExactlyOnce(read);
      else records.assertInOrder(read);
    });
  }
});

Deno.test("the Kafka sink is content with a broker that is slow, and a line on which bytes come a few at a time", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 3);
  const slow = () => ({ holdMs: 60, holdAnswerMs: 60 });
  await using proxy = await calm({ mix: { ...NO_FAULTS, dribble: 1 }, plan: slow });
  const records = new NumberedRecords({ fill: 500 });
  const fields = { brokers: proxy.brokers, idempotent: true, linger_ms: 0 };
  await using delivery = new Delivery(await openInProcess(fields));
  for (let page = 0; page < 10; page++) await delivery.offer(topic.name, records.take(200));
  await delivery.drained();
  assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

Deno.test("the Kafka sink reaches brokers over IPv6", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 3);
  await using proxy = await calm({ host: "::1", nodes: 2 });
  assert.match(proxy.brokers, /^\[::1\]:\d+,\[::1\]:\d+$/);
  const records = new NumberedRecords();
  const [bootstrap] = proxy.brokers.split(",");
  await using delivery = new Delivery(await openKafkaSink({ brokers: bootstrap!, idempotent: true }));
  for (let page = 0; page < 5; page++) await delivery.offer(topic.name, records.take(200));
  await delivery.drained();
  assert.deepEqual(delivery.states, []);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

Deno.test("the Kafka sink has a broker's name looked up for each connection: an address that it kept would not be in its grant", async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 2);
  await using proxy = await calm();
  const { port } = proxy.nodes[0]!;
  proxy.advertised = [{ nodeId: 1, host: "localhost", port }];
  const records = new NumberedRecords();
  await using delivery = new Delivery(
    await openKafkaSink({ brokers: `localhost:${port}`, idempotent: true, linger_ms: 0 }),
  );
  for (let round = 0; round < 3; round++) {
    await delivery.offer(topic.name, records.take(50));
    await delivery.drained();
    const before = proxy.connectionsOf(1);
    proxy.cut();
    await delivery.offer(topic.name, records.take(50));
    await delivery.drained();
    assert.ok(proxy.connectionsOf(1) > before);
  }
  assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});
