import assert from "node:assert/strict";
import { formatAddress, parseBrokers } from "../../../../plugins/sink_kafka/config/connection.ts";
import { onlySecretsDiffer, parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import { makeAuthority } from "../../../support/certificate.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";

const parse = (fields: Parameters<typeof kafkaConfig>[0]) =>
  parseOptions(kafkaConfig({ brokers: "a:1", ...fields }).fields);

Deno.test("parseOptions() gives the page's defaults", () => {
  assert.deepEqual(parse({ brokers: "localhost:9092" }), {
    brokers: [{ host: "localhost", port: 9_092 }],
    compression: "none",
    acks: -1,
    batchSize: 100,
    lingerMs: 10,
    idempotent: false,
    requestTimeoutMs: 30_000,
    deliveryTimeoutMs: 120_000,
    maxRequestBytes: 1_048_576,
    maxInFlight: 5,
    partitioner: "murmur2",
    timestamp: "created",
    tombstoneOnNull: false,
    clientId: "pg-tide",
    connectTimeoutMs: 10_000,
    idleTimeoutMs: 540_000,
    metadataMaxAgeMs: 300_000,
    allowAutoCreateTopics: true,
  });
});

Deno.test("parseOptions() reads what has no default only where it is set", () => {
  const { clientRack, compressionLevel } = parse({
    client_rack: "east",
    compression: "zstd",
    compression_level: 9,
  });
  assert.deepEqual([clientRack, compressionLevel], ["east", 9]);
  assert.ok(!("clientRack" in parse({})) && !("compressionLevel" in parse({})));
});

Deno.test("parseOptions() reads authentication and TLS", () => {
  const options = parse({
    sasl_mechanism: "SCRAM-SHA-512",
    sasl_username: "relay",
    sasl_password: "secret",
    tls_enabled: true,
    acks: "1",
  });
  assert.deepEqual(options.sasl, { mechanism: "SCRAM-SHA-512", username: "relay", password: "secret" });
  assert.deepEqual(options.tls, { skipVerify: false });
  assert.equal(options.acks, 1);
  assert.equal(parse({}).tls, undefined);
  assert.equal(parse({ acks: "0" }).acks, 0);
});

Deno.test("parseOptions() gives a batch the time to fill and to be sent once", () => {
  const options = parse({ linger_ms: 5_000, request_timeout_ms: 10_000, delivery_timeout_ms: 1_000 });
  assert.equal(options.deliveryTimeoutMs, 15_000);
});

Deno.test("parseOptions() shows no value of a field that has the wrong type", () => {
  assert.throws(() => parse({ sasl_mechanism: "PLAIN", sasl_username: "u", sasl_password: 12_345 }), {
    name: "TypeError",
    message: "Cannot read sasl_password: number, expected a string",
  });
  assert.throws(
    () => parse({ compression: "brotli" }),
    /Cannot read compression: "brotli", expected none, gzip/,
  );
});

Deno.test("parseBrokers() reads names, numbers and IPv6 addresses", () => {
  const addresses = parseBrokers("kafka-1:9093, 10.0.0.1:1 ,[::1]:9092");
  assert.deepEqual(addresses, [
    { host: "kafka-1", port: 9_093 },
    { host: "10.0.0.1", port: 1 },
    { host: "::1", port: 9_092 },
  ]);
  assert.deepEqual(addresses.map(formatAddress), ["kafka-1:9093", "10.0.0.1:1", "[::1]:9092"]);
});

Deno.test("parseBrokers() names the entry that is no host:port", () => {
  for (const entry of ["kafka", "kafka:", "kafka:0", "kafka:65536", "a b:1", "http://kafka:9092", ""]) {
    assert.throws(() => parseBrokers(`ok:1,${entry}`), {
      name: "RangeError",
      message: `Cannot read brokers: "${entry}", expected host:port with a port from 1 to 65535`,
    });
  }
});

Deno.test("onlySecretsDiffer() allows another password and other certificates, and nothing else", async () => {
  const sasl = {
    sasl_mechanism: "PLAIN",
    sasl_username: "u",
    sasl_password: "old",
    tls_enabled: true,
    tls_ca_cert: (await makeAuthority()).certificate,
  };
  const one = parse(sasl);
  const { certificate } = await makeAuthority();
  assert.ok(onlySecretsDiffer(one, parse({ ...sasl, sasl_password: "new", tls_ca_cert: certificate })));
  assert.ok(!onlySecretsDiffer(one, parse({ ...sasl, sasl_username: "v" })));
  assert.ok(!onlySecretsDiffer(one, parse({ ...sasl, batch_size: 5 })));
  assert.ok(!onlySecretsDiffer(one, parse({ ...sasl, tls_enabled: false })));
  assert.ok(!onlySecretsDiffer(one, parse({ ...sasl, tls_insecure_skip_verify: true })));
});
