/** What `acks: "0"` claims: that the operating system has the bytes, and nothing about the broker. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import { readTopic } from "../../support/consume.ts";
import { CutProxy } from "../../support/cut_proxy.ts";
import { FaultProxy } from "../../support/fault_proxy.ts";
import { NO_FAULTS } from "../../support/fault_schedule.ts";
import { type SharedKafka, sharedKafka } from "../../support/kafka.ts";
import { RELAY_USER, secureKafka } from "../../support/kafka_secure.ts";
import { Delivery, kafkaConfig, openInProcess, recordPage } from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { freePort } from "../../support/port.ts";
import { ROOT } from "../../support/repository.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

const PRODUCER = join(ROOT, "tests/integration/sink_kafka/unanswered_producer.ts");
const CONFIG = join(ROOT, "deno.json");

/** A cluster that is reached by a line alone, on which nothing may move. */
async function withLine(
  kafka: SharedKafka,
  test: (line: CutProxy, brokers: string) => Promise<void>,
): Promise<void> {
  await using proxy = await FaultProxy.start({ brokers: kafka.brokers, seed: 1, nodes: 1, mix: NO_FAULTS });
  const port = freePort();
  await using line = await CutProxy.to(proxy.nodes[0]!.port, port);
  proxy.advertised = [{ nodeId: 1, host: "127.0.0.1", port }];
  await test(line, `127.0.0.1:${port}`);
  assert.deepEqual(proxy.errors, []);
}

/** A process that produces, and what it claims to have delivered. */
class Producer implements AsyncDisposable {
  claimed = 0;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  constructor(brokers: string, topic: string) {
    const args = [
      "run",
      "--quiet",
      "--frozen",
      "--no-check",
      `--config=${CONFIG}`,
      "-A",
      PRODUCER,
      brokers,
      topic,
    ];
    this.#child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped", stderr: "null" })
      .spawn();
    this.#reading = this.#read();
  }

  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#child.status;
    await this.#reading;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      if (lines.length > 0) this.claimed = Number(lines.at(-1));
    }
  }
}

Deno.test('acks "0": what counts as delivered reaches the broker even if the relay is killed while the line is full', async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  await withLine(kafka, async (line, brokers) => {
    await using producer = new Producer(brokers, topic.name);
    await waitUntil(() => producer.claimed > 10, { what: "the producer to produce", timeoutMs: 60_000 });
    line.mode = "hang";
    let before = -1;
    const stuck = () => {
      const same = producer.claimed === before;
      before = producer.claimed;
      return same;
    };
    await waitUntil(stuck, { what: "the line to be full", intervalMs: 700, timeoutMs: 120_000 });
    await producer.kill();
    line.mode = "forward";
    await waitUntil(async () => await topic.count() >= producer.claimed, {
      what: `the ${producer.claimed} records that were claimed`,
      timeoutMs: 120_000,
    });
  });
});

Deno.test('acks "0": what the operating system does not take is not claimed, and is delivered when the line is free', async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  await withLine(kafka, async (line, brokers) => {
    const times = { request_timeout_ms: 700, delivery_timeout_ms: 2_000, linger_ms: 0 };
    const sink = await openSink(kafkaConfig({ brokers, acks: "0", ...times }));
    const first = await sink.deliver(recordPage(topic.name, [{ value: "first" }]), 1);
    assert.deepEqual([...first.delivered], [0, 1]);
    line.mode = "hang";
    const drafts = Array.from({ length: 30 }, (_, i) => ({ value: `${i} ${"x".repeat(900_000)}` }));
    const { delivered, fault } = await sink.deliver(recordPage(topic.name, drafts), 1);
    assert.ok(fault?.kind === "unavailable", JSON.stringify(fault));
    const claimed = delivered.length === 0 ? 0 : delivered[1]!;
    assert.ok(claimed < drafts.length, "all of it was claimed, which no socket can hold");
    line.mode = "forward";
    const rest = await sink.deliver(recordPage(topic.name, drafts.slice(claimed)), 2);
    assert.deepEqual([...rest.delivered], [0, drafts.length - claimed]);
    await sink.close();
    const numbers = async () =>
      new Set(
        (await readTopic(kafka.brokers, topic.name)).slice(1).map(({ value }) => parseInt(decode(value))),
      );
    const all = await waitUntil(async () => {
      const read = await numbers();
      return read.size === drafts.length && read;
    }, { what: "the broker to write" });
    assert.deepEqual([...all].toSorted((one, other) => one - other), drafts.map((_, i) => i));
  });
});

Deno.test('acks "0": a sink that is hung up on by a broker that leads no more finds the one that does', async () => {
  const kafka = await sharedKafka();
  await using topic = await testTopic(kafka, 1);
  await using proxy = await FaultProxy.start({ brokers: kafka.brokers, seed: 1, nodes: 2, mix: NO_FAULTS });
  proxy.lead(topic.name, 0, 1);
  const records = new NumberedRecords({ keys: 1 });
  const fields = { brokers: proxy.brokers, acks: "0", linger_ms: 0 };
  await using delivery = new Delivery(await openInProcess(fields));
  await delivery.offer(topic.name, records.take(10));
  await delivery.drained();
  proxy.lead(topic.name, 0, 2);
  await waitUntil(async () => {
    await delivery.offer(topic.name, records.take(10));
    await delivery.drained();
    return proxy.connectionsOf(2) > 0 && await topic.count() > 10;
  }, { what: "records to reach the other broker" });
  assert.deepEqual([delivery.states, delivery.letters, proxy.errors], [[], [], []]);
});

Deno.test('acks "0": what goes through TLS and SASL arrives as well, in order', async () => {
  const { authority, kafka, listeners } = await secureKafka();
  await using topic = await testTopic(kafka, 3);
  const { password, username } = RELAY_USER;
  const sasl = { sasl_mechanism: "SCRAM-SHA-256", sasl_username: username, sasl_password: password };
  const tls = { tls_enabled: true, tls_ca_cert: authority.certificate };
  const fields = { brokers: listeners.SASL_SSL, acks: "0", linger_ms: 0, ...sasl, ...tls };
  const records = new NumberedRecords({ fill: 400 });
  const sink = await openSink(kafkaConfig(fields));
  for (let page = 0; page < 10; page++) {
    const { delivered } = await sink.deliver(recordPage(topic.name, records.take(300)), 1);
    assert.deepEqual([...delivered], [0, 300]);
  }
  await sink.close();
  await waitUntil(async () => await topic.count() === records.count, { what: "the broker to write" });
  records.assertExactlyOnce(await readTopic(kafka.brokers, topic.name));
});

function decode(bytes: Uint8Array | null): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array(0));
}
