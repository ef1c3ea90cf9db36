import type { FieldRule, FieldSpec, Json } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { parseFields } from "../../../src/config/parse.ts";

const SPECS: readonly FieldSpec[] = [
  {
    name: "brokers",
    type: "string",
    required: true,
    doc: "Brokers to connect to.",
    pattern: "[^:,]+:[0-9]+(,[^:,]+:[0-9]+)*",
    patternDoc: "a comma-separated list of host:port",
    interpolates: true,
  },
  { name: "batch_size", type: "integer", default: 100, min: 1, max: 10_000, doc: "Messages in a request." },
  { name: "acks", type: "string", default: "all", values: ["0", "1", "all"], doc: "Acknowledgements." },
  { name: "tls_enabled", type: "boolean", default: false, doc: "Use TLS." },
  { name: "sasl_username", type: "string", doc: "User." },
  { name: "sasl_password", type: "string", secret: true, min: 3, interpolates: true, doc: "Password." },
  { name: "ratio", type: "number", min: 0, max: 1, doc: "A ratio." },
  { name: "headers", type: "string_map", max: 2, interpolates: true, doc: "Headers." },
  { name: "retry.max_attempts", type: "integer", default: 10, min: 1, doc: "Attempts." },
  { name: "retry.deep.flag", type: "boolean", doc: "A flag." },
  { name: "hosts", type: "list", pattern: "[a-z]+", patternDoc: "a lower case name", doc: "Hosts." },
];

const RULES: readonly FieldRule[] = [
  {
    when: { field: "sasl_username" },
    then: { field: "sasl_password" },
    message: "sasl_username without sasl_password",
  },
  {
    when: { field: "acks", is: ["0"] },
    then: { field: "tls_enabled", is: [false] },
    message: "acks 0 needs no TLS",
  },
];

const GOOD = { brokers: "a:1" };

function messages(raw: Json): string[] {
  return parseFields(SPECS, RULES, raw).problems.map(({ message }) => message);
}

Deno.test("parseFields() gives every field by its dotted name, with defaults", () => {
  const { values, problems } = parseFields(SPECS, RULES, {
    brokers: "a:1,b:2",
    retry: { deep: { flag: true } },
    acks: null,
  });
  assert.deepEqual(problems, []);
  assert.deepEqual({ ...values }, {
    brokers: "a:1,b:2",
    batch_size: 100,
    acks: "all",
    tls_enabled: false,
    sasl_username: null,
    sasl_password: null,
    ratio: null,
    headers: null,
    "retry.max_attempts": 10,
    "retry.deep.flag": true,
    hosts: null,
  });
});

Deno.test("parseFields() reports all problems at once", () => {
  const raw = { batch_size: "100", acks: "2", tls_enabled: "yes", retry: { max_attempts: 0 }, colour: 1 };
  assert.deepEqual(messages(raw), [
    "Cannot use colour: there is no such field, expected one of brokers, batch_size, acks, tls_enabled, sasl_username, " +
    "sasl_password, ratio, headers, retry.max_attempts, retry.deep.flag, hosts, retry, retry.deep",
    "Cannot leave out brokers: Brokers to connect to.",
    'Cannot read batch_size: "100", expected an integer (without quotes)',
    'Cannot use acks: "2", expected "0", "1" or "all"',
    'Cannot read tls_enabled: "yes", expected true or false',
    "Cannot use retry.max_attempts: 0, expected at least 1",
  ]);
});

Deno.test("parseFields() hints at the nearest known name", () => {
  const table: readonly [raw: Record<string, Json>, hint: RegExp][] = [
    [{ bach_size: 1 }, /Cannot use bach_size: there is no such field, did you mean batch_size\?/],
    [{ "Batch-Size": 1 }, /did you mean batch_size\?/],
    [{ retry: { max_atempts: 1 } }, /Cannot use retry\.max_atempts: .* did you mean retry\.max_attempts\?/],
    [{ retyr: {} }, /did you mean retry\?/],
    [{ max_attempts: 3 }, /Cannot use max_attempts/],
    [{ "retry.max_attempts": 3 }, /a dot stands for nesting, expected \{"retry": \{"max_attempts": …\}\}/],
  ];
  for (const [raw, hint] of table) assert.match(messages({ ...GOOD, ...raw }).join(), hint);
});

Deno.test("parseFields() checks types exactly", () => {
  const wrong: readonly [name: string, value: Json, message: RegExp][] = [
    ["batch_size", 1.5, /1\.5, expected an integer/],
    ["batch_size", 2 ** 53, /expected an integer/],
    ["batch_size", true, /true, expected an integer/],
    ["tls_enabled", "true", /expected true or false \(without quotes\)/],
    ["tls_enabled", 1, /expected true or false/],
    ["acks", 1, /1, expected a string/],
    ["ratio", 1.01, /expected at most 1/],
    ["headers", "a=b", /expected an object whose values are strings/],
    ["headers", { a: 1 }, /Cannot read headers\.a: 1, expected a string/],
    ["headers", { a: "", b: "", c: "" }, /expected at most 2 entries/],
    ["headers", ["a"], /expected an object/],
    ["hosts", "a", /expected a list/],
    ["hosts", ["a", 5], /expected a lower case name/],
    ["retry", 5, /expected an object with retry\.max_attempts, retry\.deep\.flag/],
  ];
  for (const [name, value, message] of wrong) {
    const found = messages({ ...GOOD, [name]: value });
    assert.equal(found.length, 1, name);
    assert.match(found[0]!, message);
  }
});

Deno.test("parseFields() matches patterns against the whole text", () => {
  for (const brokers of ["a:1,", "x a:1 y z", "a", "", "a:1\nb"]) {
    assert.match(messages({ brokers }).join(), /expected a comma-separated list of host:port/, brokers);
  }
});

Deno.test("parseFields() checks a text with a reference later", () => {
  assert.deepEqual(messages({ brokers: "${env:KAFKA_BROKERS}", sasl_password: "${file:/x}" }), []);
});

Deno.test("parseFields() refuses references where none are taken, and ones that are written wrongly", () => {
  assert.deepEqual(messages({ ...GOOD, sasl_username: "${env:KAFKA_USER}", sasl_password: "xxx" }), [
    "Cannot resolve ${env:KAFKA_USER} in sasl_username: only these fields take references: brokers, sasl_password, headers",
  ]);
  assert.deepEqual(messages({ brokers: "${evn:X}" }), [
    "Cannot resolve ${evn:X} in brokers: expected ${env:NAME} or ${file:/path} (did you mean ${env:X}?)",
  ]);
  assert.match(messages({ brokers: "${env:}" }).join(), /expected \$\{env:NAME\}/);
  assert.match(
    messages({ ...GOOD, headers: { a: "${file:relative}" } }).join(),
    /expected \$\{env:NAME\} or \$\{file:\/path\}/,
  );
});

Deno.test("parseFields() leaves braces that are no references alone", () => {
  assert.deepEqual(messages({ ...GOOD, sasl_password: "pa${ss}wo${rd", sasl_username: "${x:y}" }), []);
});

Deno.test("parseFields() never shows a secret", () => {
  const all = [
    ...messages({ ...GOOD, sasl_password: "hu" }),
    ...messages({ ...GOOD, sasl_password: 12345678 }),
    ...messages({ brokers: "http://user:hunter2@host" }),
  ];
  assert.equal(all.length, 3);
  assert.match(all[0]!, /a secret string, expected at least 3 characters/);
  for (const message of all) assert.doesNotMatch(message, /hu\b|12345678|hunter2/);
});

Deno.test("parseFields() holds rules between fields, after defaults, and not about fields that are wrong anyway", () => {
  assert.deepEqual(messages({ ...GOOD, sasl_username: "u" }), ["sasl_username without sasl_password"]);
  assert.deepEqual(messages({ ...GOOD, acks: "0", tls_enabled: true }), ["acks 0 needs no TLS"]);
  assert.deepEqual(messages({ ...GOOD, acks: "0" }), []);
  assert.equal(messages({ ...GOOD, sasl_username: "u", sasl_password: 5 }).length, 1);
});

Deno.test("parseFields() refuses what is not an object", () => {
  for (const raw of [null, [], "x", 5]) {
    assert.deepEqual(messages(raw), ["Cannot read the configuration: expected an object"]);
  }
});

Deno.test("parseFields() takes names of prototypes for unknown names", () => {
  const raw = JSON.parse('{"brokers":"a:1","__proto__":{"acks":"0"},"constructor":1}') as Json;
  assert.deepEqual(parseFields(SPECS, RULES, raw).problems.map(({ field }) => field), [
    "__proto__",
    "constructor",
  ]);
});
