import type { FieldSpec } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { jsonSchema } from "../../../src/config/json_schema.ts";
import { fieldText, markdownTable } from "../../../src/config/tables.ts";

const SPECS: readonly FieldSpec[] = [
  {
    name: "brokers",
    type: "string",
    required: true,
    doc: "Brokers.",
    pattern: "a|b",
    patternDoc: "a or b",
    interpolates: true,
  },
  { name: "acks", type: "string", default: "all", values: ["0", "all"], doc: "Acks." },
  { name: "retry.max", type: "integer", default: 3, min: 1, max: 9, doc: "Most." },
  { name: "retry.must", type: "boolean", required: true, doc: "Must." },
  { name: "headers", type: "string_map", max: 2, doc: "Headers." },
  { name: "key", type: "string", secret: true, file: true, doc: "Key." },
  { name: "hosts", type: "list", pattern: "[a-z]+", doc: "Hosts." },
];

Deno.test("jsonSchema() says what parseFields() accepts", () => {
  const schema = jsonSchema("pipeline", {
    specs: SPECS,
    rules: [{ when: { field: "acks", is: ["all"] }, then: { field: "retry.max" }, message: "why" }],
  });
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "pipeline",
    type: "object",
    additionalProperties: false,
    required: ["brokers"],
    properties: {
      brokers: {
        description: "Brokers.",
        type: "string",
        anyOf: [{ pattern: "^(?:a|b)$" }, { pattern: "\\$\\{(env|file):" }],
      },
      acks: { description: "Acks.", type: ["string", "null"], default: "all", enum: ["0", "all", null] },
      retry: {
        type: "object",
        additionalProperties: false,
        required: ["must"],
        properties: {
          max: { description: "Most.", type: ["integer", "null"], default: 3, minimum: 1, maximum: 9 },
          must: { description: "Must.", type: "boolean" },
        },
      },
      headers: {
        description: "Headers.",
        type: ["object", "null"],
        additionalProperties: { type: "string" },
        maxProperties: 2,
      },
      key: { description: "Key.", type: ["string", "null"], writeOnly: true },
      hosts: {
        description: "Hosts.",
        type: ["array", "null"],
        items: { type: "string", pattern: "^(?:[a-z]+)$" },
      },
    },
    allOf: [{
      $comment: "why",
      if: { properties: { acks: { enum: ["all"] } } },
      then: { properties: { retry: { properties: { max: { not: { type: "null" } } } } } },
    }],
  });
});

Deno.test("markdownTable() escapes what Markdown would read", () => {
  const table = markdownTable([...SPECS.slice(0, 3), {
    name: "x",
    type: "string",
    doc: "a|b, ${env:X}, `*` and * < 1",
    default: "|",
  }]);
  assert.equal(
    table,
    [
      "| Field | Type | Default | Description |",
      "| --- | --- | --- | --- |",
      "| `brokers` | string | required | Brokers. Must be a or b. Takes `${env:NAME}` and `${file:/path}`. |",
      '| `acks` | string | `"all"` | Acks. One of "0", "all". |',
      "| `retry.max` | integer | `3` | Most. From 1 to 9. |",
      '| `x` | string | `"\\|"` | a\\|b, `${env:X}`, `*` and \\* \\< 1 |',
    ].join("\n"),
  );
});

Deno.test("fieldText() shows each field with its notes", () => {
  assert.equal(
    fieldText(SPECS.slice(0, 2)),
    "  brokers (string, required)\n      Brokers.\n      Must be a or b.\n      Takes ${env:NAME} and ${file:/path}.\n" +
      '  acks (string, default "all")\n      Acks.\n      One of "0", "all".',
  );
});
