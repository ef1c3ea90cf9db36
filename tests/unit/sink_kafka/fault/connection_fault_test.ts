import type { Fault } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { UnsupportedBrokerError } from "../../../../plugins/sink_kafka/cluster/versions.ts";
import { parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import type { Tls } from "../../../../plugins/sink_kafka/config/tls.ts";
import { connectionFault } from "../../../../plugins/sink_kafka/fault/connection_fault.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";

const PLAIN = parseOptions(kafkaConfig({ brokers: "kafka:9092" }).fields);
const SASL = parseOptions(
  kafkaConfig({
    brokers: "kafka:9092",
    sasl_mechanism: "PLAIN",
    sasl_username: "relay",
    sasl_password: "pa55",
  }).fields,
);
const TLS: Tls = { skipVerify: false };
const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 15);
const CLIENT = {
  cert: "",
  key: "",
  subject: "CN=relay",
  validMs: [NOW_MS - DAY_MS, NOW_MS + DAY_MS],
} as const;

/** An error with a code, as Node and the library make them. */
function coded(message: string, code: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

/** The fault of that error at a configured broker. */
function faultOf(error: unknown, options = PLAIN, advertised = false): Fault {
  return connectionFault(error, {
    address: { host: "kafka", port: 9_092 },
    advertised,
    options,
    nowMs: NOW_MS,
  });
}

/** The fault of that error, which is told to people. */
function toldOf(error: unknown, options = PLAIN, advertised = false): Exclude<Fault, { kind: "hosts" }> {
  const fault = faultOf(error, options, advertised);
  assert.ok(fault.kind !== "hosts");
  return fault;
}

/** The fault of that error, which a person must mend. */
function blockOf(error: unknown, options = PLAIN) {
  const fault = faultOf(error, options);
  assert.ok(fault.kind === "configuration", JSON.stringify(fault));
  return fault;
}

Deno.test("connectionFault() says what to check when a broker cannot be reached", () => {
  const cause = coded("connect ECONNREFUSED 127.0.0.1:9092", "ECONNREFUSED");
  const fault = faultOf(coded("Connection to kafka:9092 failed.", "PLT_KFK_NETWORK", cause));
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
    toldOf(new Error("x"), PLAIN, true).reason,
    /kafka:9092 \(the address that the cluster advertises: .*advertised\.listeners\)/,
  );
});

Deno.test("connectionFault() guesses why a broker hangs up without a word, and takes it for an outage", () => {
  const closed = new Error("Connection closed");
  const handshake = new Error("TLS handshake failed. Please verify the broker supports TLS.");
  const guesses = [
    [closed, PLAIN, "it may want TLS (tls_enabled) or SASL (sasl_mechanism)"],
    [closed, SASL, "it may want TLS (tls_enabled)"],
    [closed, { ...SASL, tls: TLS }, "it may want a client certificate (tls_client_cert)"],
    [closed, { ...PLAIN, tls: { ...TLS, client: CLIENT } }, "it may want SASL (sasl_mechanism)"],
    [
      handshake,
      { ...SASL, tls: TLS },
      "it may want no TLS: the port of a listener without it answers TLS so",
    ],
  ] as const;
  for (const [error, options, guess] of guesses) {
    const fault = toldOf(error, options);
    assert.equal(fault.code, "BROKER_UNREACHABLE");
    assert.ok(fault.reason.includes(`. The broker closed the connection: ${guess}. `), fault.reason);
  }
  assert.match(
    toldOf(closed, { ...SASL, tls: { ...TLS, client: CLIENT } }).reason,
    /\. The broker closed the connection\. /,
  );
});

Deno.test("connectionFault() tells a broker that does not answer from one that hangs up", () => {
  for (const text of ["Request timed out", "No answer within 10000 ms (connect_timeout_ms)"]) {
    const { code, reason } = toldOf(new Error(text));
    assert.equal(code, "BROKER_UNREACHABLE");
    assert.match(reason, /takes the connection and does not answer: it may hang or be overloaded/);
    assert.ok(!reason.includes("closed the connection"), reason);
  }
});

Deno.test("connectionFault() names the user when authentication fails, and never the password", () => {
  const inner = coded("SASL authentication failed.", "PLT_KFK_AUTHENTICATION");
  const fault = blockOf(new Error("failed", { cause: inner }), SASL);
  assert.equal(fault.code, "SASL_AUTHENTICATION_FAILED");
  assert.equal(
    fault.reason,
    'SASL authentication failed: broker kafka:9092 refused user "relay" with sasl_mechanism "PLAIN"',
  );
  assert.match(fault.advice, /Confluent Cloud use the API key \(not the cluster ID\)/);
  assert.ok(!JSON.stringify(fault).includes("pa55"));
});

Deno.test("connectionFault() takes a connection that is lost in the middle of SASL for an outage", () => {
  const lost = coded(
    "SASL authentication failed.",
    "PLT_KFK_AUTHENTICATION",
    coded("Connection closed", "PLT_KFK_NETWORK"),
  );
  assert.equal(toldOf(coded("failed", "PLT_KFK_NETWORK", lost), SASL).code, "BROKER_UNREACHABLE");
});

Deno.test("connectionFault() knows what TLS says", () => {
  const kinds = [
    [coded("self-signed certificate in certificate chain", "SELF_SIGNED_CERT_IN_CHAIN"), "TLS_CERTIFICATE"],
    [coded("Hostname does not match", "ERR_TLS_CERT_ALTNAME_INVALID"), "TLS_CERTIFICATE"],
    [new Error("invalid peer certificate: UnknownIssuer"), "TLS_CERTIFICATE"],
    [new Error("Broker requires TLS."), "TLS_REQUIRED"],
    [new Error("received corrupt message of type InvalidContentType"), "TLS_NOT_OFFERED"],
    [new Error("received fatal alert: BadCertificate"), "TLS_CLIENT_CERTIFICATE"],
    [new Error("received fatal alert: ProtocolVersion"), "TLS_VERSION"],
    [new Error("peer is incompatible: ServerDoesNotSupportTls12Or13"), "TLS_VERSION"],
    [new Error("received fatal alert: HandshakeFailure"), "TLS_HANDSHAKE"],
  ] as const;
  for (const [error, code] of kinds) {
    const fault = blockOf(new Error("outer", { cause: error }), { ...PLAIN, tls: TLS });
    assert.equal(fault.code, code);
    assert.match(fault.reason, /^Cannot (trust|talk).* Kafka broker kafka:9092: /);
    assert.ok(fault.advice.length > 20);
  }
});

Deno.test("connectionFault() names the client certificate that a broker refuses, and the day it expired", () => {
  const refused = new Error("received fatal alert: CertificateUnknown");
  const of = (fromDays: number, toDays: number) => {
    const validMs = [NOW_MS + fromDays * DAY_MS, NOW_MS + toDays * DAY_MS] as const;
    return blockOf(refused, { ...PLAIN, tls: { ...TLS, client: { ...CLIENT, validMs } } }).reason;
  };
  const start = 'Kafka broker kafka:9092 refuses the client certificate "CN=relay": ';
  assert.equal(of(-1, 1), `${start}CertificateUnknown`);
  assert.equal(of(-3, -1), `${start}it expired on 2026-01-14T00:00:00Z`);
  assert.equal(of(1, 3), `${start}it is not good before 2026-01-16T00:00:00Z`);
});

Deno.test("connectionFault() asks for hosts that the Worker may not reach, by number or by name", () => {
  const byNumber = new Deno.errors.NotCapable('Requires net access to "10.0.0.1:9092"');
  const byName = coded("getaddrinfo EPERM kafka", "EPERM");
  for (const error of [byNumber, byName]) {
    assert.deepEqual(faultOf(new Error("failed", { cause: error }), PLAIN, true), {
      kind: "hosts",
      hosts: ["kafka:9092"],
    });
  }
});

Deno.test("connectionFault() blocks on a broker that gives out no producer ids", () => {
  const error = new UnsupportedBrokerError(
    "Cannot get a producer id: the broker gives out none",
    "IDEMPOTENCE_NOT_OFFERED",
  );
  assert.match(blockOf(error).advice, /^Set idempotent to false/);
});

Deno.test("connectionFault() blocks on a broker that is too old", () => {
  const fault = blockOf(coded("it offers versions 0 to 3 of request 0", "UNSUPPORTED_VERSION"));
  assert.match(fault.advice, /Apache Kafka 2\.8 or later/);
});
