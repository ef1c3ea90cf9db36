import { type Fault, FaultError, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { UnsupportedBrokerError } from "../../../../plugins/sink_kafka/cluster/versions.ts";
import { parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import {
  asFault,
  blockedFault,
  connectionFault,
  leaderless,
  missingTopic,
  tooLarge,
} from "../../../../plugins/sink_kafka/fault/faults.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";

const ADDRESS = { host: "kafka", port: 9_092 };
const PLAIN = parseOptions(kafkaConfig({ brokers: "kafka:9092" }).fields);
const SASL = parseOptions(
  kafkaConfig({
    brokers: "kafka:9092",
    sasl_mechanism: "PLAIN",
    sasl_username: "relay",
    sasl_password: "pa55",
  }).fields,
);

/** An error with a code, as Node and the library make them. */
function coded(message: string, code: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

function reasonOf(fault: Fault): string {
  assert.ok(fault.kind !== "hosts");
  return fault.reason;
}

Deno.test("connectionFault() says what to check when a broker cannot be reached", () => {
  const cause = coded("connect ECONNREFUSED 127.0.0.1:9092", "ECONNREFUSED");
  const fault = connectionFault(
    coded("Connection to kafka:9092 failed.", "PLT_KFK_NETWORK", cause),
    ADDRESS,
    false,
    PLAIN,
  );
  assert.deepEqual(fault, {
    kind: "unavailable",
    code: "BROKER_UNREACHABLE",
    reason:
      "Cannot reach Kafka broker kafka:9092: Connection to kafka:9092 failed: connect ECONNREFUSED 127.0.0.1:9092. " +
      "Check that broker addresses are correct and include ports, that the network lets the relay through (firewall rules, " +
      "security groups, VPC peering), that DNS resolves the broker hostnames, and that tls_enabled is set if the cluster requires TLS",
  });
});

Deno.test("connectionFault() tells an address that the cluster advertises from one that is configured", () => {
  assert.match(
    reasonOf(connectionFault(new Error("x"), ADDRESS, true, PLAIN)),
    /kafka:9092 \(the address that the cluster advertises: .*advertised\.listeners\)/,
  );
});

Deno.test("connectionFault() guesses why a broker hangs up without a word", () => {
  const closed = new Error("Connection closed");
  assert.match(
    reasonOf(connectionFault(closed, ADDRESS, false, PLAIN)),
    /it may want TLS \(tls_enabled\) or SASL \(sasl_mechanism\)/,
  );
  const tls = { ...SASL, tls: {} };
  assert.match(
    reasonOf(connectionFault(closed, ADDRESS, false, tls)),
    /it may want a client certificate \(tls_client_cert\), or no TLS\./,
  );
});

Deno.test("connectionFault() names the user when authentication fails, and never the password", () => {
  const inner = coded("SASL authentication failed.", "PLT_KFK_AUTHENTICATION");
  const fault = connectionFault(new Error("failed", { cause: inner }), ADDRESS, false, SASL);
  assert.ok(fault.kind === "configuration");
  assert.equal(fault.code, "SASL_AUTHENTICATION_FAILED");
  assert.match(
    fault.reason,
    /^SASL authentication failed: broker kafka:9092 refused user "relay" with sasl_mechanism "PLAIN"$/,
  );
  assert.match(fault.advice, /Confluent Cloud use the API key \(not the cluster ID\)/);
  assert.ok(!JSON.stringify(fault).includes("pa55"));
});

Deno.test("connectionFault() knows what TLS says", () => {
  const kinds = [
    [coded("self-signed certificate in certificate chain", "SELF_SIGNED_CERT_IN_CHAIN"), "TLS_CERTIFICATE"],
    [new Error("invalid peer certificate: UnknownIssuer"), "TLS_CERTIFICATE"],
    [new Error("Broker requires TLS."), "TLS_REQUIRED"],
    [new Error("TLS handshake failed. Please verify the broker supports TLS."), "TLS_NOT_OFFERED"],
  ] as const;
  for (const [error, code] of kinds) {
    const fault = connectionFault(new Error("outer", { cause: error }), ADDRESS, false, PLAIN);
    assert.ok(fault.kind === "configuration");
    assert.equal(fault.code, code);
    assert.ok(fault.advice.length > 20);
  }
});

Deno.test("connectionFault() asks for hosts that the Worker may not reach, by number or by name", () => {
  const byNumber = new Deno.errors.NotCapable('Requires net access to "10.0.0.1:9092"');
  const byName = coded("getaddrinfo EPERM kafka", "EPERM");
  for (const error of [byNumber, byName]) {
    const fault = connectionFault(new Error("failed", { cause: error }), ADDRESS, true, PLAIN);
    assert.deepEqual(fault, { kind: "hosts", hosts: ["kafka:9092"] });
  }
});

Deno.test("connectionFault() blocks on a broker that gives out no producer ids", () => {
  const error = new UnsupportedBrokerError(
    "Cannot get a producer id: the broker gives out none",
    "IDEMPOTENCE_NOT_OFFERED",
  );
  const fault = connectionFault(error, ADDRESS, false, PLAIN);
  assert.ok(fault.kind === "configuration");
  assert.match(fault.advice, /^Set idempotent to false/);
});

Deno.test("connectionFault() blocks on a broker that is too old", () => {
  const fault = connectionFault(
    coded("it offers versions 0 to 3 of request 0", "UNSUPPORTED_VERSION"),
    ADDRESS,
    false,
    PLAIN,
  );
  assert.ok(fault.kind === "configuration");
  assert.match(fault.advice, /Apache Kafka 2\.8 or later/);
});

Deno.test("missingTopic() gives the command that creates it", () => {
  const fault = missingTopic("order-events", PLAIN);
  assert.ok(fault.kind === "configuration");
  assert.equal(fault.reason, 'Topic does not exist: "order-events"');
  assert.match(
    fault.advice,
    /kafka-topics --create --topic order-events --partitions 6 --replication-factor 3/,
  );
  assert.match(fault.advice, /set auto\.create\.topics\.enable=true on the cluster \(not recommended/);
  const forbidden = missingTopic("order-events", { ...PLAIN, allowAutoCreateTopics: false });
  assert.ok(forbidden.kind === "configuration");
  assert.match(forbidden.advice, /on the cluster and allow_auto_create_topics to true here \(not/);
});

Deno.test("blockedFault() names principal, topic and operation", () => {
  const write = blockedFault(29, null, "write to", "t", SASL);
  assert.ok(write.kind === "configuration");
  assert.match(write.advice, /Allow User:relay the operation Write on topic "t"/);
  const producer = blockedFault(31, null, "get a producer id", undefined, PLAIN);
  assert.ok(producer.kind === "configuration");
  assert.match(producer.advice, /IdempotentWrite .* or set idempotent to false/);
  const codec = blockedFault(76, "no zstd", "write to", "t", { ...PLAIN, compression: "zstd" });
  assert.ok(codec.kind === "configuration");
  assert.equal(codec.advice, 'Choose another compression than "zstd"');
  assert.match(
    codec.reason,
    /UNSUPPORTED_COMPRESSION_TYPE, the broker does not know this compression: no zstd$/,
  );
});

Deno.test("leaderless() and tooLarge() tell topic, partition and sizes", () => {
  assert.match(
    reasonOf(leaderless("t", 3)),
    /^Partition 3 of topic "t" has no leader\. Check which brokers are down/,
  );
  assert.match(reasonOf(leaderless("t", -1)), /^Topic "t" has no leader/);
  assert.equal(
    tooLarge("t", 2_000_000, 1_900_000, "max.message.bytes"),
    'Message too large for topic "t": the record has 2000000 bytes, 1900000 as sent in a batch of its own, more than ' +
      "max.message.bytes allows. Check your message payload sizes, increase max.message.bytes on the broker or topic, or reduce " +
      "the payload with a JMESPath projection (transform.payload)",
  );
  assert.match(
    tooLarge("t", 2, 1, "segment.bytes"),
    /more than segment\.bytes allows\. .* increase segment\.bytes on/,
  );
});

Deno.test("asFault() keeps a fault, and takes what nobody foresaw for an outage", () => {
  const fault = unavailable("X", "x");
  assert.equal(asFault(new FaultError(fault)), fault);
  assert.deepEqual(asFault(new TypeError("boom")), unavailable("KAFKA_SINK", "boom"));
  assert.deepEqual(asFault("text"), unavailable("KAFKA_SINK", "text"));
});
