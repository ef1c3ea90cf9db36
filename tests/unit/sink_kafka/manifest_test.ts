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

Deno.test("the Kafka sink's manifest marks what is secret", () => {
  const secrets = MANIFEST.fields.filter(({ secret }) => secret).map(({ name }) => name);
  assert.deepEqual(secrets, ["sasl_password", "tls_client_key"]);
});

Deno.test("the Kafka sink's rules say what contradicts what", () => {
  assert.deepEqual(problems({}), []);
  assert.deepEqual(problems({ brokers: "[::1]:9092, kafka-2:9093" }), []);
  const cases: readonly (readonly [config: Parameters<typeof problems>[0], message: RegExp])[] = [
    [{ idempotent: true, acks: "1" }, /idempotent needs acks "all"/],
    [{ sasl_username: "u" }, /sasl_username is set without sasl_mechanism/],
    [{ sasl_mechanism: "PLAIN", sasl_username: "u" }, /sasl_mechanism is set without sasl_password/],
    [{ tls_enabled: true, tls_client_cert: "/c" }, /tls_client_cert is set without tls_client_key/],
    [{ tls_ca_cert: "/etc/certs/ca.pem" }, /tls_ca_cert is set but tls_enabled is false/],
    [{ brokers: "localhost" }, /brokers.*comma-separated list of host:port/],
    [{ batch_size: 0 }, /batch_size/],
    [{ compression: "zst" }, /compression.*zstd/],
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
