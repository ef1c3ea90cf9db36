/**
 * What `tide.relay_set_outbox` checks in the database and what the relay checks when it reads a configuration are written twice. They
 * must agree on which configurations are good and on which fields are wrong.
 */

import { strict as assert } from "node:assert";
import type { Json, PluginDescription } from "@pg-tide/sdk";
import { REGISTRY } from "../../../plugins/registry.ts";
import type { Problem } from "../../../src/base/errors.ts";
import { catalogEntry } from "../../../src/config/compose.ts";
import { KERNEL_FIELDS } from "../../../src/config/kernel_fields.ts";
import { parsePipeline } from "../../../src/config/pipeline.ts";
import { catalogScript } from "../../../src/pg/plugin_catalog.ts";
import { compileTemplate, isProblem } from "../../../src/route/template.ts";
import { tideTest } from "../../support/tide_database.ts";

/** A sink with a field of every type, and a format with rules of its own. */
const ODD_SINK: PluginDescription = {
  name: "odd",
  kind: "sink",
  contract: 1,
  summary: "Odd",
  permissions: {},
  fields: [
    { name: "ratio", type: "number", min: 0, max: 1.5, doc: "R." },
    { name: "list", type: "list", min: 1, max: 2, pattern: "[a-z]+", doc: "L." },
    { name: "map", type: "string_map", max: 2, interpolates: true, doc: "M." },
    { name: "anything", type: "object", doc: "A." },
    { name: "level", type: "integer", values: [1, 2, 3], doc: "N." },
    { name: "deep.er.field", type: "string", min: 2, max: 4, interpolates: true, doc: "D." },
    { name: "topic", type: "string", required: true, pattern: "t[0-9]*", doc: "Narrower than the kernel's." },
  ],
  rules: [{ when: { field: "level", is: [2, 3] }, then: { field: "ratio" }, message: "levels need a ratio" }],
};
const ODD_FORMAT: PluginDescription = {
  name: "odd_format",
  kind: "format",
  contract: 1,
  summary: "Odd",
  permissions: {},
  fields: [
    { name: "server", type: "string", required: true, doc: "S." },
    { name: "flag", type: "boolean", default: true, doc: "F." },
  ],
  rules: [{
    when: { field: "server", is: ["x"] },
    then: { field: "flag", is: [false] },
    message: "x has no flag",
  }],
};
const CATALOG = [...REGISTRY.map(({ description }) => description), ODD_SINK, ODD_FORMAT];

const KAFKA = { sink_type: "kafka", brokers: "a:1", topic: "t" };
const ODD = { sink_type: "odd", topic: "t1" };
const SASL = { sasl_mechanism: "PLAIN", sasl_username: "u", sasl_password: "p" };

const OAUTH = {
  sasl_mechanism: "OAUTHBEARER",
  sasl_oauth_token_url: "https://login.example.com/oauth2/token",
  sasl_oauth_client_id: "relay",
  sasl_oauth_client_secret: "${env:KAFKA_CLIENT_SECRET}",
};
const MSK = {
  tls_enabled: true,
  sasl_mechanism: "AWS_MSK_IAM",
  sasl_aws_region: "eu-central-1",
  sasl_aws_credentials: "web_identity",
  sasl_aws_role_arn: "arn:aws:iam::123456789012:role/relay",
  sasl_aws_web_identity_token: "${env:AWS_WEB_IDENTITY_TOKEN_FILE}",
  sasl_aws_sts_url: "https://sts.eu-central-1.amazonaws.com",
};

const CONFIGURATIONS: readonly Json[] = [
  KAFKA,
  {},
  [],
  null,
  "kafka",
  { sink_type: null },
  { sink_type: "nothing", batch_size: "x" },
  { sink_type: 5 },
  { sink_type: ["kafka"] },
  { ...KAFKA, wire_format: null },
  { ...KAFKA, wire_format: "native" },
  { ...KAFKA, wire_format: "json" },
  { ...KAFKA, wire_format: "json", wire_config: { envelope: "pg_tide" } },
  { ...KAFKA, wire_format: "json", wire_config: { envelope: "other", more: 1 } },
  { ...KAFKA, wire_format: "native", wire_config: {} },
  { ...KAFKA, wire_config: { envelope: "none" } },
  { ...KAFKA, wire_format: "" },
  { ...KAFKA, wire_format: "odd_format" },
  { ...KAFKA, wire_format: "odd_format", wire_config: { server: "x" } },
  { ...KAFKA, wire_format: "odd_format", wire_config: { server: "x", flag: false } },
  { ...KAFKA, wire_format: "odd_format", wire_config: 5 },
  { sink_type: "kafka" },
  { sink_type: "stdout", brokers: "a:1" },
  { ...KAFKA, brokers: "a:1, b:2 ,[::1]:3" },
  { ...KAFKA, brokers: "" },
  { ...KAFKA, brokers: "a" },
  { ...KAFKA, brokers: "a:1\n" },
  { ...KAFKA, brokers: "${env:KAFKA_BROKERS}" },
  { ...KAFKA, brokers: "${env:}" },
  { ...KAFKA, brokers: "${env:a-b}:1" },
  { ...KAFKA, brokers: "${file:relative}" },
  { ...KAFKA, brokers: "${file:/run/secrets/brokers}" },
  { ...KAFKA, brokers: "${vault:x}" },
  { ...KAFKA, topic: "${env:KAFKA_TOPIC}" },
  { ...KAFKA, topic: "${vault:x}" },
  { ...KAFKA, topic: "" },
  { ...KAFKA, topic: "x".repeat(1000) },
  { ...KAFKA, topic: "😀".repeat(1000) },
  { ...KAFKA, topic: "😀".repeat(1001) },
  ...[
    "{payload.shard}",
    "3",
    "007",
    "{payload.shard|0}1{header.h|}",
    "{opp}",
    "{payload.shard|x}",
    "shard-{op}",
    "{{1}}",
  ]
    .map((partition) => ({ ...KAFKA, partition })),
  ...[
    "",
    "{payload.shard",
    "-1",
    "1\n",
    " 1",
    "{a}|0",
    "{payload.a..b}",
    "${env:X}",
    "1".repeat(1001),
    "٣",
    3,
    null,
    ["3"],
  ]
    .map((partition) => ({ ...KAFKA, partition })),
  { sink_type: "stdout", partition: "{outbox_id}" },
  { ...KAFKA, batch_size: "100" },
  { ...KAFKA, batch_size: 100.0 },
  { ...KAFKA, batch_size: 1.5 },
  { ...KAFKA, batch_size: 0 },
  { ...KAFKA, batch_size: 1e300 },
  { ...KAFKA, batch_size: -9007199254740993 },
  { ...KAFKA, batch_size: "${env:SIZE}" },
  { ...KAFKA, acks: 1 },
  { ...KAFKA, acks: "2" },
  { ...KAFKA, acks: "${env:ACKS}" },
  { ...KAFKA, idempotent: true },
  { ...KAFKA, idempotent: true, acks: "1" },
  { ...KAFKA, idempotent: "yes", acks: "1" },
  { ...KAFKA, compression_level: 3 },
  { ...KAFKA, compression: "lz4", compression_level: 3 },
  { ...KAFKA, compression: "gzip" },
  { ...KAFKA, compression: "gzip", compression_level: null },
  ...[0, 1, 9, 10, 22, 23, 1.5, "3"].flatMap((compression_level) =>
    ["gzip", "zstd"].map((compression) => ({ ...KAFKA, compression, compression_level }))
  ),
  { ...KAFKA, client_rack: "", max_in_flight: 51, partitioner: "crc32" },
  { ...KAFKA, client_rack: "${env:KAFKA_CLIENT_RACK}", client_id: "${env:KAFKA_CLIENT_ID}" },
  { ...KAFKA, ...SASL },
  { ...KAFKA, ...OAUTH },
  ...Object.keys(OAUTH).map((name) => ({ ...KAFKA, ...OAUTH, [name]: null })),
  ...[
    "https://login.example.com:8443/a?b=c",
    "http://localhost:8080/token",
    "http://[::1]",
    "http://login.example.com",
    "https://user@login.example.com",
    "https://login.example.com#x",
    "http://127.0.0.1.example.com/",
    "${env:KAFKA_TOKEN_URL}",
  ].map((sasl_oauth_token_url) => ({ ...KAFKA, ...OAUTH, sasl_oauth_token_url })),
  { ...KAFKA, ...OAUTH, sasl_oauth_extensions: { logicalCluster: "lkc-1" }, sasl_username: "u" },
  { ...KAFKA, ...OAUTH, sasl_oauth_extensions: { logicalCluster: 1 }, sasl_aws_region: "eu-west-1" },
  { ...KAFKA, ...MSK },
  ...Object.keys(MSK).map((name) => ({ ...KAFKA, ...MSK, [name]: null })),
  ...["static", "container", "instance", "env"].map((sasl_aws_credentials) => ({
    ...KAFKA,
    ...MSK,
    sasl_aws_credentials,
  })),
  { ...KAFKA, ...MSK, sasl_aws_region: "eu", sasl_aws_role_arn: "relay", sasl_aws_sts_url: "sts" },
  { ...KAFKA, ...SASL, sasl_mechanism: null },
  { ...KAFKA, ...SASL, sasl_password: null },
  { ...KAFKA, ...SASL, sasl_mechanism: "SCRAM" },
  { ...KAFKA, sasl_username: "u" },
  { ...KAFKA, tls_ca_cert: "/x" },
  { ...KAFKA, tls_enabled: true, tls_client_cert: "/x" },
  { ...KAFKA, headers: { a: "b", c: "${env:X}" } },
  { ...KAFKA, headers: { a: 1, b: null, c: [] } },
  { ...KAFKA, headers: "a" },
  { ...KAFKA, headers: [] },
  { ...KAFKA, headers: ["${env:X}"] },
  { ...KAFKA, headers: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`h${i}`, "${env:X}"])) },
  { ...KAFKA, start: "latest" },
  { ...KAFKA, start: "2026-01-31T12:00:00Z" },
  { ...KAFKA, start: "2026-01-31" },
  { ...KAFKA, retry: { max_attempts: 3 } },
  { ...KAFKA, retry: { max_attempts: 0, unknown: null } },
  { ...KAFKA, retry: null },
  { ...KAFKA, retry: [] },
  { ...KAFKA, retry: { initial_ms: 500, max_ms: 400 } },
  { ...KAFKA, retry: { initial_ms: 0, max_ms: 400 } },
  { ...KAFKA, retry: { max_ms: 50 } },
  { ...KAFKA, "retry.max_ms": 50 },
  { ...KAFKA, retry: { max_ms: 500 }, "retry.max_ms": 50 },
  { ...KAFKA, retry: { "a.b": 1 } },
  { ...KAFKA, transform: { filter: "a", payload: "b", x: 1 } },
  { ...KAFKA, transform: { filter: { a: 1 } } },
  { ...KAFKA, nothing: { a: { b: 1 } } },
  { ...KAFKA, nothing: null },
  { ...KAFKA, "": 1 },
  { ...KAFKA, 'a"b': 1, "é": 2 },
  { ...KAFKA, client_id: "${HOME}", topic: "${" },
  ODD,
  { ...ODD, partition: null },
  { ...ODD, partition: "{payload.shard}" },
  { ...ODD, partition: "shard" },
  { ...ODD, topic: "other" },
  { ...ODD, topic: null },
  { ...ODD, ratio: 1.5, level: 3 },
  { ...ODD, ratio: 1.6, level: 4 },
  { ...ODD, level: 2 },
  { ...ODD, level: "2" },
  { ...ODD, list: [] },
  { ...ODD, list: ["a", "b"] },
  { ...ODD, list: ["a", "B"] },
  { ...ODD, list: ["a", 1] },
  { ...ODD, list: ["a", "b", "c"] },
  { ...ODD, list: ["${env:X}"] },
  { ...ODD, list: [["a"]] },
  { ...ODD, map: { a: "${env:X}", b: 5 } },
  { ...ODD, map: { a: "${env:X}", b: "2", c: "3" } },
  { ...ODD, map: { a: "${enw:X}" } },
  { ...ODD, anything: { a: [1, { b: null }] } },
  { ...ODD, anything: [] },
  { ...ODD, anything: { a: "${env:X}" } },
  { ...ODD, deep: { er: { field: "abc" } } },
  { ...ODD, deep: { er: { field: "abcde" } } },
  { ...ODD, deep: { er: { field: "${env:X}" } } },
  { ...ODD, deep: { er: "abc" } },
  { ...ODD, deep: { er: { other: 1 } } },
  { ...ODD, deep: { "er.field": "abc" } },
];

/** What the relay finds when it compiles the templates of a pipeline that it has parsed. */
function templateProblems(config: Json): readonly Problem[] {
  return KERNEL_FIELDS.filter(({ template }) => template).flatMap(({ name }) => {
    const text = config instanceof Object && name in config ? Reflect.get(config, name) : null;
    if (typeof text !== "string" || config instanceof Object && Reflect.get(config, "sink_type") === "odd") {
      return [];
    }
    const compiled = compileTemplate(name, text);
    return isProblem(compiled) ? [compiled] : [];
  });
}

tideTest("the database and the relay find the same fields of a configuration wrong", async (database) => {
  const { sql } = database;
  await sql.unsafe(catalogScript([ODD_SINK, ODD_FORMAT].map(catalogEntry)));
  let good = 0;
  for (const config of CONFIGURATIONS) {
    const text = JSON.stringify(config);
    const parsed = parsePipeline(config, CATALOG);
    const inRelay = new Set([...parsed.problems, ...templateProblems(config)].map(({ field }) => field));
    // What is no object is refused before its fields are looked at.
    const [row] = typeof config === "object" && config !== null && !Array.isArray(config)
      ? await sql`SELECT tide.config_problems(${text}::text::jsonb) AS problems`
      : [{ problems: [": expected an object"] }];
    const inDatabase = new Set(
      (row?.["problems"] as string[]).map((line) => line.slice(0, line.indexOf(": "))),
    );
    assert.deepEqual([...inDatabase].sort(), [...inRelay].sort(), `${text}\n${row?.["problems"].join("\n")}`);
    if (inRelay.size === 0) good++;
  }
  assert.ok(good > 20 && good < CONFIGURATIONS.length - 20, `${good} good ones`);
});
