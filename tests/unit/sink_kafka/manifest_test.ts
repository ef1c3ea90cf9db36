import assert from "node:assert/strict";
import { MANIFEST } from "../../../plugins/sink_kafka/manifest.ts";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import { KAFKA_TOPIC, TopicCheck } from "../../../src/route/topic.ts";

/** The messages of what is wrong with a configuration of the sink. */
function problems(config: Readonly<Record<string, string | number | boolean>>): readonly string[] {
  const whole = { sink_type: "kafka", brokers: "localhost:9092", topic: "t", ...config };
  return parsePipeline(whole, [MANIFEST]).problems.map(({ message }) => message);
}

Deno.test("the Kafka sink's manifest has the page's parameters, with its defaults", () => {
  const page: Readonly<Record<string, unknown>> = {
    brokers: undefined,
    sasl_mechanism: undefined,
    sasl_username: undefined,
    sasl_password: undefined,
    tls_enabled: false,
    tls_ca_cert: undefined,
    tls_client_cert: undefined,
    tls_client_key: undefined,
    compression: "none",
    acks: "all",
    batch_size: 100,
    linger_ms: 10,
    idempotent: false,
    request_timeout_ms: 30_000,
  };
  const defaults = Object.fromEntries(MANIFEST.fields.map((field) => [field.name, field.default]));
  for (const [name, value] of Object.entries(page)) {
    assert.ok(name in defaults, name);
    assert.equal(defaults[name], value, name);
  }
});

/** Further numbers: default, least and most. */
const NUMBERS: Readonly<Record<string, readonly [standard: number | undefined, min: number, max: number]>> = {
  batch_size: [100, 1, 100_000],
  compression_level: [undefined, 1, 9],
  connect_timeout_ms: [10_000, 100, 60_000],
  connections_max_idle_ms: [540_000, 1_000, 86_400_000],
  delivery_timeout_ms: [120_000, 100, 3_600_000],
  linger_ms: [10, 0, 60_000],
  max_in_flight: [5, 1, 50],
  max_request_size: [1_048_576, 1_024, 104_857_600],
  metadata_max_age_ms: [300_000, 1_000, 86_400_000],
  request_timeout_ms: [30_000, 100, 600_000],
};

Deno.test("the Kafka sink's numbers have defaults and ranges, and what lies outside is an error", () => {
  const integers = MANIFEST.fields.filter(({ type }) => type === "integer").toSorted(byName);
  const declared = integers.map((field) => [field.name, [field.default, field.min, field.max]]);
  assert.deepEqual(declared, Object.entries(NUMBERS));
  for (const [name, [, min, max]] of Object.entries(NUMBERS)) {
    const codec = name === "compression_level" ? { compression: "zstd" } : {};
    for (const good of [min, max]) assert.deepEqual(problems({ ...codec, [name]: good }), [], name);
    for (const bad of [min - 1, max + 1, min + 0.5, `${max}`]) {
      const [problem, ...others] = problems({ ...codec, [name]: bad });
      assert.match(problem!, new RegExp(`^Cannot (use|read) ${name}: .*, expected `));
      assert.deepEqual(others, []);
    }
  }
});

const byName = (one: { readonly name: string }, other: { readonly name: string }) =>
  one.name.localeCompare(other.name);

Deno.test("the Kafka sink's further parameters have the defaults that the Java client has", () => {
  const further = Object.fromEntries(MANIFEST.fields.map((field) => [field.name, field.default]));
  const { client_id, client_rack, partitioner, timestamp, tombstone_on_null, allow_auto_create_topics } =
    further;
  assert.deepEqual(
    [client_id, client_rack, partitioner, timestamp, tombstone_on_null, allow_auto_create_topics],
    ["pg-tide", undefined, "murmur2", "created", false, true],
  );
  assert.match(problems({ partitioner: "crc32" })[0]!, /partitioner: "crc32", expected .*consistent/);
});

Deno.test("the Kafka sink's manifest marks what is secret", () => {
  const secrets = MANIFEST.fields.filter(({ secret }) => secret).map(({ name }) => name);
  assert.deepEqual(secrets, [
    "sasl_password",
    "sasl_oauth_client_secret",
    "sasl_aws_secret_access_key",
    "sasl_aws_session_token",
    "sasl_aws_credentials_token",
    "sasl_aws_web_identity_token",
    "tls_client_key",
    "tls_client_key_password",
  ]);
});

Deno.test("the Kafka sink's rules say what contradicts what", () => {
  assert.deepEqual(problems({}), []);
  assert.deepEqual(problems({ brokers: "[::1]:9092, kafka-2:9093" }), []);
  assert.deepEqual(problems({ compression: "gzip" }), []);
  assert.deepEqual(problems({ compression: "gzip", compression_level: 9 }), []);
  assert.deepEqual(problems({ compression: "zstd", compression_level: 9 }), []);
  const cases: readonly (readonly [config: Parameters<typeof problems>[0], message: RegExp])[] = [
    [{ idempotent: true, acks: "1" }, /idempotent needs acks "all"/],
    [
      { sasl_username: "u" },
      /sasl_username is only used with sasl_mechanism "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512"/,
    ],
    [{ sasl_mechanism: "PLAIN", sasl_username: "u" }, /sasl_mechanism is "PLAIN", which needs sasl_password/],
    [{ tls_enabled: true, tls_client_cert: "/c" }, /tls_client_cert is set without tls_client_key/],
    [{ tls_ca_cert: "/etc/certs/ca.pem" }, /tls_ca_cert is set but tls_enabled is false/],
    [{ tls_insecure_skip_verify: true }, /tls_insecure_skip_verify is true but tls_enabled is false/],
    [
      { tls_enabled: true, tls_client_key_password: "p" },
      /password is set without tls_client_key: set the key/,
    ],
    [{ brokers: "localhost" }, /brokers.*comma-separated list of host:port/],
    [{ batch_size: 0 }, /batch_size/],
    [{ compression: "zst" }, /compression.*zstd/],
    [{ compression_level: 3 }, /compression_level needs compression "gzip" or "zstd"/],
    [{ compression: "lz4", compression_level: 3 }, /the other codecs have no levels/],
    [{ compression: "gzip", compression_level: 10 }, /compression_level: 10, expected .*9/],
    [{ compression: "zstd", compression_level: 10 }, /compression_level: 10, expected .*9/],
  ];
  for (const [config, message] of cases) {
    const found = problems(config);
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.match(found[0]!, message);
  }
});

Deno.test("the Kafka sink's topic rule is Kafka's", () => {
  const check = new TopicCheck(MANIFEST.topicRule!);
  const good = ["a", "orders.events.insert", "A_b-9", "...", "x".repeat(249)];
  const bad = ["", ".", "..", "x".repeat(250), "a b", "a/b", "é", "a\n"];
  assert.deepEqual(good.filter((topic) => !check.accepts(topic)), []);
  assert.deepEqual(bad.filter((topic) => check.accepts(topic)), []);
  assert.deepEqual(MANIFEST.topicRule, KAFKA_TOPIC);
});
