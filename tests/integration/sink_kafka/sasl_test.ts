/**
 * SASL with passwords against a real broker: the page's configurations, every mechanism with and without TLS, and what is told when
 * it goes wrong.
 */

import assert from "node:assert/strict";
import type { Fault, Json } from "@pg-tide/sdk";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import { readTopic, textOf } from "../../support/consume.ts";
import { assertDelivers, type Configuration, type Surroundings } from "../../support/kafka_configuration.ts";
import { RELAY_USER, type SecureKafka, secureKafka } from "../../support/kafka_secure.ts";
import { kafkaConfig, recordPage } from "../../support/kafka_sink.ts";
import { AUTHENTICATION } from "../../support/page_configurations.ts";
import { readmeBlock } from "../../support/readme.ts";
import { testTopic } from "../../support/test_topic.ts";

type Fields = Readonly<Record<string, Json>>;

const { username, password } = RELAY_USER;
const USER = { sasl_username: username, sasl_password: password };

/** A configuration of the page and of the README, which listener stands in for its brokers, and what it refers to. */
interface StandIn {
  readonly heading: keyof typeof AUTHENTICATION;
  readonly place: (
    secure: SecureKafka,
  ) => Surroundings & { readonly brokers: string; readonly beside?: Fields };
}

const STAND_INS: Readonly<Record<string, StandIn>> = {
  "no-authentication": {
    heading: "No Authentication (Development Only)",
    place: ({ kafka }) => ({ brokers: kafka.brokers }),
  },
  "sasl-plain": {
    heading: "SASL/PLAIN (Confluent Cloud)",
    place: (secure) => ({
      brokers: "${env:CONFLUENT_BOOTSTRAP_SERVERS}",
      beside: authorityOf(secure),
      env: {
        CONFLUENT_BOOTSTRAP_SERVERS: secure.listeners.SASL_SSL,
        CONFLUENT_API_KEY: username,
        CONFLUENT_API_SECRET: password,
      },
    }),
  },
  "sasl-scram": {
    heading: "SASL/SCRAM-SHA-256",
    place: (secure) => ({
      brokers: secure.listeners.SASL_SSL,
      beside: authorityOf(secure),
      env: { KAFKA_USER: username, KAFKA_PASS: password },
    }),
  },
  "mtls": {
    heading: "mTLS (Certificate-Based)",
    place: ({ listeners, authority, client }) => ({
      brokers: listeners.SSL,
      files: {
        "/etc/certs/ca.pem": authority.certificate,
        "/etc/certs/client.pem": client.certificate,
        "/etc/certs/client-key.pem": client.key,
      },
    }),
  },
};

/** What a broker whose authority is known to everybody needs not. */
const authorityOf = ({ authority }: SecureKafka): Fields => ({ tls_ca_cert: authority.certificate });

for (const [block, { heading, place }] of Object.entries(STAND_INS)) {
  Deno.test(`the page's configuration "${heading}" delivers to a broker that wants it so`, async () => {
    const secure = await secureKafka();
    const { brokers, beside, ...surroundings } = place(secure);
    const page: Configuration = JSON.parse(AUTHENTICATION[heading]!);
    assert.deepEqual(JSON.parse(await readmeBlock(block)), page, "the README shows the page's");
    await assertDelivers(secure.kafka, { ...page, ...beside, brokers }, surroundings);
  });
}

Deno.test("every configuration of the page's section Authentication is delivered by", () => {
  assert.deepEqual(Object.values(STAND_INS).map(({ heading }) => heading), Object.keys(AUTHENTICATION));
});

Deno.test("the Kafka sink authenticates with every mechanism, with and without TLS", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 1);
  const written: string[] = [];
  for (const listener of ["SASL_PLAINTEXT", "SASL_SSL"] as const) {
    const tls = listener === "SASL_SSL" ? { tls_enabled: true, ...authorityOf(secure) } : {};
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
      const value = `${mechanism} at ${listener}`;
      const sink = await openSink(
        kafkaConfig({ brokers: secure.listeners[listener], sasl_mechanism: mechanism, ...USER, ...tls }),
      );
      await sink.deliver(recordPage(topic.name, [{ value }]), 1);
      const open = mechanism === "PLAIN" && listener === "SASL_PLAINTEXT";
      assert.equal(/password is sent unencrypted/.test(sink.opened.notice ?? ""), open);
      await sink.close();
      written.push(value);
    }
  }
  const records = await readTopic(secure.kafka.brokers, topic.name);
  assert.deepEqual(records.map((record) => textOf(record).value), written);
});

/** Why the sink does not open. */
async function faultOf(fields: Fields): Promise<Exclude<Fault, { kind: "hosts" }>> {
  const opened = await openSink(kafkaConfig(fields)).then((sink) => ({ sink }), (error) => ({ error }));
  if ("sink" in opened) {
    await opened.sink.close();
    throw new Error("The sink opens, expected a fault");
  }
  const { fault } = opened.error;
  assert.ok(fault !== undefined && fault.kind !== "hosts", String(opened.error));
  return fault;
}

const CHECK_CREDENTIALS = /Verify that sasl_mechanism matches .* for Confluent Cloud use the API key/;

Deno.test("the Kafka sink names broker, user and mechanism when it is refused, and what to look at", async (t) => {
  const secure = await secureKafka();
  const tls = { tls_enabled: true, ...authorityOf(secure) };
  for (const listener of ["SASL_PLAINTEXT", "SASL_SSL"] as const) {
    const brokers = secure.listeners[listener];
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
      const wrong = { password: { sasl_password: "wr0ng" }, user: { sasl_username: "nobody" } };
      for (const [what, fields] of Object.entries(wrong)) {
        await t.step(`wrong ${what}, ${mechanism} at ${listener}`, async () => {
          const fault = await faultOf({
            ...(listener === "SASL_SSL" && tls),
            ...{ brokers, sasl_mechanism: mechanism, ...USER, ...fields },
          });
          assert.ok(fault.kind === "configuration");
          assert.equal(fault.code, "SASL_AUTHENTICATION_FAILED");
          const who = what === "user" ? "nobody" : username;
          const start =
            `SASL authentication failed: broker ${brokers} refused user "${who}" with sasl_mechanism "${mechanism}"`;
          assert.ok(fault.reason.startsWith(start), fault.reason);
          assert.match(fault.advice, CHECK_CREDENTIALS);
          assert.ok(!JSON.stringify(fault).includes("wr0ng"));
        });
      }
    }
  }
});

Deno.test("the Kafka sink says what a listener wants in place of what it is offered", async (t) => {
  const secure = await secureKafka();
  const { SASL_PLAINTEXT, SASL_SSL, SCRAM, TLS } = secure.listeners;
  const plain = { sasl_mechanism: "PLAIN", ...USER };
  const tls = { tls_enabled: true, ...authorityOf(secure) };
  const cases: Readonly<Record<string, readonly [Fields, code: string, reason: RegExp, advice?: RegExp]>> = {
    "a mechanism that is not offered": [
      { brokers: SCRAM, ...plain },
      "UNSUPPORTED_SASL_MECHANISM",
      /^SASL authentication failed: broker .* does not offer PLAIN, but SCRAM-SHA-256$/,
      /Verify that sasl_mechanism matches what the cluster expects/,
    ],
    "SASL where there is none": [
      { brokers: secure.kafka.brokers, ...plain },
      "ILLEGAL_SASL_STATE",
      /^SASL authentication failed: the listener of broker .* wants no SASL$/,
      /port of a listener with SASL .*, or remove sasl_mechanism$/,
    ],
    "SASL over TLS where there is none": [
      { brokers: TLS, ...plain, ...tls },
      "ILLEGAL_SASL_STATE",
      /wants no SASL$/,
      /remove sasl_mechanism$/,
    ],
    "no SASL where it is wanted": [
      { brokers: SASL_PLAINTEXT },
      "BROKER_UNREACHABLE",
      /it may want TLS \(tls_enabled\) or SASL \(sasl_mechanism\)\. Check that broker addresses/,
    ],
    "no SASL over TLS where it is wanted": [
      { brokers: SASL_SSL, ...tls },
      "BROKER_UNREACHABLE",
      /it may want .* or SASL \(sasl_mechanism\)\. Check that broker addresses/,
    ],
    "SASL without TLS at a port of TLS": [
      { brokers: SASL_SSL, ...plain },
      "TLS_REQUIRED",
      /^Cannot talk to Kafka broker localhost:\d+: it answers with TLS$/,
      /^Set tls_enabled to true$/,
    ],
    "SASL over TLS at a port without": [
      { brokers: SASL_PLAINTEXT, ...plain, ...tls },
      "BROKER_UNREACHABLE",
      /it may want no TLS: the port of a listener without it answers TLS so/,
    ],
  };
  for (const [what, [fields, code, reason, advice]] of Object.entries(cases)) {
    await t.step(what, async () => {
      const fault = await faultOf(fields);
      assert.equal(fault.code, code, fault.reason);
      assert.match(fault.reason, reason);
      assert.ok(fault.reason.includes(String(fields["brokers"])), fault.reason);
      assert.equal(fault.kind, advice === undefined ? "unavailable" : "configuration");
      if (advice !== undefined) assert.match(fault.kind === "configuration" ? fault.advice : "", advice);
    });
  }
});

Deno.test("the Kafka sink opens as soon as the broker has the password that it was given", async () => {
  const { kafka, listeners } = await secureKafka();
  const user = { sasl_username: `mended-${crypto.randomUUID()}`, sasl_password: "s3cret" };
  const fields = { brokers: listeners.SASL_PLAINTEXT, sasl_mechanism: "SCRAM-SHA-512", ...user };
  assert.equal((await faultOf(fields)).code, "SASL_AUTHENTICATION_FAILED");
  await kafka.tools.setPassword(user.sasl_username, user.sasl_password);
  const sink = await openSink(kafkaConfig(fields));
  await sink.close();
});
