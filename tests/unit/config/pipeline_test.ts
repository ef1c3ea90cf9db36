import type { Json, PluginDescription } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { InvariantError } from "../../../src/base/invariant.ts";
import { catalogEntry, composeFields } from "../../../src/config/compose.ts";
import { KERNEL_FIELDS, KERNEL_RULES } from "../../../src/config/kernel_fields.ts";
import { parsePipeline, resolvePipeline } from "../../../src/config/pipeline.ts";

const KAFKA: PluginDescription = {
  name: "kafka",
  kind: "sink",
  contract: 1,
  summary: "Kafka",
  permissions: {},
  fields: [
    { name: "brokers", type: "string", required: true, interpolates: true, doc: "Brokers." },
    { name: "topic", type: "string", required: true, doc: "Topic.", template: true },
    { name: "batch_size", type: "integer", default: 100, doc: "Batch." },
  ],
  rules: [{
    when: { field: "batch_size", is: [7] },
    then: { field: "message_key" },
    message: "seven needs a key",
  }],
};
const DEBEZIUM: PluginDescription = {
  name: "debezium",
  kind: "format",
  contract: 1,
  summary: "Debezium",
  permissions: {},
  fields: [
    { name: "server", type: "string", required: true, doc: "Server." },
    { name: "tombstones", type: "boolean", default: true, doc: "Tombstones." },
  ],
  rules: [{
    when: { field: "server", is: ["x"] },
    then: { field: "tombstones", is: [false] },
    message: "x has none",
  }],
};
const CATALOG = [KAFKA, DEBEZIUM, { ...KAFKA, name: "stdout", fields: [], rules: [] }];
const GOOD = { sink_type: "kafka", brokers: "a:1", topic: "t" };

function messages(raw: Json): string[] {
  return parsePipeline(raw, CATALOG).problems.map(({ message }) => message);
}

Deno.test("parsePipeline() reads the page's complete example and splits values by owner", async () => {
  const { config, problems } = parsePipeline({
    ...GOOD,
    headers: { a: "${env:KAFKA_A}" },
    retry: { max_attempts: 3 },
  }, CATALOG);
  assert.deepEqual(problems, []);
  assert.equal(config!.sink, KAFKA);
  assert.equal(config!.format, null);
  const ports = {
    env: () => "b",
    readText: () => Promise.resolve(""),
    realPath: (path: string) => Promise.resolve(path),
  };
  const { values } = await resolvePipeline(config!, { allowEnv: ["*"], allowFile: [] }, ports);
  assert.deepEqual(values!.sink, { brokers: "a:1", topic: "t", batch_size: 100 });
  assert.equal(values!.kernel["topic"], "t");
  assert.equal(values!.kernel["retry.max_attempts"], 3);
  assert.equal(values!.kernel["retry.max_ms"], 30_000);
  assert.deepEqual({ ...Object(values!.kernel["headers"]) }, { a: "b" });
  assert.deepEqual(values!.format, {});
});

Deno.test("parsePipeline() puts a format's fields and rules under wire_config", () => {
  const { config } = parsePipeline(
    { ...GOOD, wire_format: "debezium", wire_config: { server: "s" } },
    CATALOG,
  );
  assert.deepEqual(config!.fields.split(config!.values).format, { server: "s", tombstones: true });
  assert.deepEqual(messages({ ...GOOD, wire_format: "debezium" }), [
    "Cannot leave out wire_config.server: Server.",
  ]);
  assert.deepEqual(messages({ ...GOOD, wire_format: "debezium", wire_config: { server: "x" } }), [
    "x has none",
  ]);
});

Deno.test("parsePipeline() takes native and null for the format without fields", () => {
  for (const wire_format of ["native", null]) {
    assert.deepEqual(messages({ ...GOOD, wire_format, wire_config: {} }), []);
  }
  assert.deepEqual(messages({ ...GOOD, wire_config: { a: 1 } }), [
    'Cannot use wire_config: {"a":1}, expected at most 0 entries',
  ]);
});

Deno.test("parsePipeline() lists the plugins that it knows", () => {
  assert.deepEqual(messages({ sink_type: "kafak", wire_format: "avro" }), [
    'Cannot use sink_type: this relay has no "kafak" (did you mean "kafka"?), expected "kafka" or "stdout"',
    'Cannot use wire_format: this relay has no "avro", expected "native" or "debezium"',
  ]);
  assert.deepEqual(messages({}), ['Cannot leave out sink_type: expected "kafka" or "stdout"']);
  assert.match(messages({ sink_type: "debezium" }).join(), /this relay has no "debezium"/);
  const unusable = new Map([["mine", 'Plugin "mine" failed: no luck']]);
  assert.deepEqual(
    parsePipeline({ sink_type: "mine" }, CATALOG, unusable).problems.map(({ message }) => message),
    ['Cannot use sink_type: Plugin "mine" failed: no luck'],
  );
  assert.deepEqual(messages([]), ["Cannot read the configuration: expected an object"]);
});

Deno.test("parsePipeline() holds a sink's rules over the kernel's fields, and the order of retry times", () => {
  assert.deepEqual(messages({ ...GOOD, batch_size: 7 }), ["seven needs a key"]);
  assert.deepEqual(messages({ ...GOOD, retry: { initial_ms: 60_000 } }), [
    "Cannot use retry.initial_ms: 60000, expected at most retry.max_ms, which is 30000",
  ]);
});

Deno.test("parsePipeline() takes earliest, latest and times to start at", () => {
  for (const start of ["earliest", "latest", "2026-01-31T12:00:00Z", "2026-01-31T12:00+01:00"]) {
    assert.deepEqual(messages({ ...GOOD, start }), [], start);
  }
  for (const start of ["newest", "2026-01-31", "yesterday"]) {
    assert.equal(messages({ ...GOOD, start }).length, 1, start);
  }
});

Deno.test("composeFields() lets a sink narrow the shared fields and no other", () => {
  const kernel = { specs: KERNEL_FIELDS, rules: KERNEL_RULES };
  const topic = composeFields(kernel, KAFKA, null).specs.filter(({ name }) => name === "topic");
  assert.deepEqual(topic, [KAFKA.fields[1]]);
  const clash = (name: string, type: "string" | "integer" = "string") => ({
    ...KAFKA,
    fields: [{ name, type, doc: "" }],
  });
  for (const sink of [clash("wire_format"), clash("retry"), clash("topic", "integer")]) {
    assert.throws(() => composeFields(kernel, sink, null), InvariantError);
  }
});

Deno.test("parsePipeline() takes a partition for a sink that has some, and for no other", () => {
  const partition = "{payload.shard|0}";
  const withSome = (config: Json) => parsePipeline(config, [{ ...KAFKA, partitions: true }]);
  assert.deepEqual(withSome({ ...GOOD, partition }).config!.values["partition"], partition);
  assert.deepEqual(messages({ ...GOOD, partition }), [
    'partition cannot be used with the sink "kafka", which has no partitions: leave it out',
  ]);
  assert.deepEqual(messages({ ...GOOD, partition: null }), []);
  assert.deepEqual(withSome({ ...GOOD, partition: "shard-{payload.shard}" }).problems, [{
    field: "partition",
    message:
      'Cannot use partition: "shard-{payload.shard}", expected digits and variables, such as "{payload.shard}" or ' +
      '"{payload.shard|0}"',
  }]);
});

Deno.test("catalogEntry() tells the database the rules that follow from a description, and leaves others alone", () => {
  const { rules: [own, derived, ...more] } = catalogEntry(KAFKA);
  assert.deepEqual([own, more], [KAFKA.rules![0], []]);
  assert.deepEqual([derived!.when, derived!.then], [{ field: "partition" }, {
    field: "partition",
    is: [null],
  }]);
  for (const plugin of [{ ...KAFKA, partitions: true }, DEBEZIUM]) {
    assert.deepEqual(catalogEntry(plugin), plugin);
  }
});
