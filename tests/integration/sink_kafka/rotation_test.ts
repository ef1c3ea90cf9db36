/**
 * Secrets that change while the sink is at work, against a real broker: nothing is lost, repeated or reordered, and what cannot be
 * used stays out of force.
 */

import assert from "node:assert/strict";
import { FaultError, type Json } from "@pg-tide/sdk";
import { type KafkaSink, openSink } from "../../../plugins/sink_kafka/sink.ts";
import { readTopic } from "../../support/consume.ts";
import { type SecureKafka, secureKafka } from "../../support/kafka_secure.ts";
import { kafkaConfig, recordPage } from "../../support/kafka_sink.ts";
import { allow } from "../../support/kafka_rights.ts";
import { LibraryWatch } from "../../support/library_watch.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

type Fields = Readonly<Record<string, Json>>;

const PAGE_RECORDS = 50;
const PAGES_IN_FLIGHT = 4;

/** Delivers pages of numbered records one after the other, several in flight, until it is stopped. */
class Load {
  readonly records = new NumberedRecords();
  readonly #sink: KafkaSink;
  readonly #topic: string;
  readonly #inFlight = new Set<Promise<void>>();
  #stopped = false;
  #pages = 0;
  readonly #running: Promise<void>;

  constructor(sink: KafkaSink, topic: string) {
    this.#sink = sink;
    this.#topic = topic;
    this.#running = this.#run();
    // Whoever waits for the load is told.
    this.#running.catch(() => {});
  }

  /** Resolves when so many pages more have been delivered. @throws {AssertionError} when one was not */
  async goesOn(pages = 20): Promise<void> {
    const wanted = this.#pages + pages;
    const enough = () => this.#pages >= wanted;
    const delivered = waitUntil(enough, { what: `${pages} pages`, timeoutMs: 60_000, intervalMs: 5 });
    await Promise.race([delivered, this.#running.then(() => delivered)]);
  }

  /** Deliver what is under way. @throws {AssertionError} when a page was not delivered whole */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const delivered = this.#deliver().finally(() => this.#inFlight.delete(delivered));
      this.#inFlight.add(delivered);
      if (this.#inFlight.size >= PAGES_IN_FLIGHT) await Promise.race(this.#inFlight);
    }
    await Promise.all(this.#inFlight);
  }

  async #deliver(): Promise<void> {
    const { delivered, fault } = await this.#sink.deliver(
      recordPage(this.#topic, this.records.take(PAGE_RECORDS)),
      1,
    );
    assert.deepEqual([[...delivered], fault], [[0, PAGE_RECORDS], undefined]);
    this.#pages++;
  }
}

/** A user of SCRAM whose password a test may change. */
async function freshUser({ kafka }: SecureKafka): Promise<string> {
  const username = `rotated-${crypto.randomUUID()}`;
  await kafka.tools.setPassword(username, "first");
  return username;
}

for (const idempotent of [true, false]) {
  Deno.test(`the Kafka sink takes a new password under load, idempotent ${idempotent}`, async () => {
    const secure = await secureKafka();
    await using topic = await testTopic(secure.kafka, 4);
    const username = await freshUser(secure);
    await using _right = await allow(secure.kafka.brokers, {
      principal: `User:${username}`,
      operation: "WRITE",
      topic: topic.name,
    });
    const config = (password: string) =>
      kafkaConfig({
        brokers: secure.listeners.SASL_SSL,
        tls_enabled: true,
        tls_ca_cert: secure.authority.certificate,
        sasl_mechanism: "SCRAM-SHA-512",
        sasl_username: username,
        sasl_password: password,
        idempotent,
        linger_ms: 0,
      });
    const sink = await openSink(config("first"));
    const load = new Load(sink, topic.name);
    await load.goesOn();
    for (const password of ["second", "third"]) {
      await secure.kafka.tools.setPassword(username, password);
      await load.goesOn();
      using watch = new LibraryWatch();
      await sink.reconfigure(config(password));
      await load.goesOn();
      assert.deepEqual([watch.connects, watch.authentications], [2, 2], "one to try it, one to go on with");
    }
    await assert.rejects(sink.reconfigure(config("first")), faultWith("SASL_AUTHENTICATION_FAILED"));
    await load.goesOn();
    await load.stop();
    await sink.close();
    load.records.assertExactlyOnce(await readTopic(secure.kafka.brokers, topic.name));
  });
}

/** Checks an error's code. */
function faultWith(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof FaultError && error.fault.kind === "configuration", String(error));
    assert.equal(error.fault.code, code);
    return true;
  };
}

Deno.test("the Kafka sink takes a renewed certificate under load, and nothing that it cannot use", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 4);
  const subject = { O: "pg-tide", CN: "relay" };
  const config = (fields: Fields) =>
    kafkaConfig({
      brokers: secure.listeners.SSL,
      tls_enabled: true,
      tls_ca_cert: secure.authority.certificate,
      tls_client_cert: secure.client.certificate,
      tls_client_key: secure.client.key,
      linger_ms: 0,
      ...fields,
    });
  const sink = await openSink(config({}));
  const load = new Load(sink, topic.name);
  const [renewed, expired, another] = [
    await secure.issue({ subject, hosts: [] }),
    await secure.issue({ subject, hosts: [], days: [-3, -1] }),
    await secure.issue({ subject: { CN: "another" }, hosts: [] }),
  ];
  const client = ({ certificate, key }: typeof renewed) => ({
    tls_client_cert: certificate,
    tls_client_key: key,
  });
  const bad: readonly (readonly [Fields, code: string])[] = [
    [{ tls_client_cert: "garbage" }, "TLS_CONFIGURATION"],
    [{ tls_client_cert: renewed.certificate }, "TLS_CONFIGURATION"],
    [{ tls_ca_cert: renewed.certificate }, "TLS_CERTIFICATE"],
    [client(expired), "TLS_CLIENT_CERTIFICATE"],
  ];
  for (const [fields, code] of bad) {
    await assert.rejects(sink.reconfigure(config(fields)), faultWith(code));
    await load.goesOn();
  }
  await assert.rejects(
    sink.reconfigure(config(client(another))),
    /more than secrets and certificates differ/,
  );
  using watch = new LibraryWatch();
  await sink.reconfigure(config(client(renewed)));
  await load.goesOn();
  assert.equal(watch.connects, 2, "one to try it, one to go on with");
  await load.stop();
  await sink.close();
  load.records.assertExactlyOnce(await readTopic(secure.kafka.brokers, topic.name));
});
