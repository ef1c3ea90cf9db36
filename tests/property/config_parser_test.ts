import type { FieldSpec, Json } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import { REGISTRY } from "../../plugins/registry.ts";
import { KERNEL_FIELDS } from "../../src/config/kernel_fields.ts";
import { parseFields } from "../../src/config/parse.ts";

const SPECS: readonly FieldSpec[] = [
  { name: "sink_type", type: "string", required: true, doc: "Which." },
  { name: "acks", type: "string", values: ["0", "1", "all"], default: "all", doc: "Acks." },
  { name: "batch_size", type: "integer", min: 1, max: 10, default: 5, doc: "Size." },
  { name: "ratio", type: "number", min: 0, max: 1, doc: "Ratio." },
  { name: "tls", type: "boolean", default: false, doc: "TLS." },
  { name: "label", type: "string", pattern: "[a-z]*", min: 1, max: 3, doc: "Label." },
  { name: "headers", type: "string_map", max: 2, doc: "Headers." },
  { name: "hosts", type: "list", pattern: "[a-z]+", max: 2, default: [], doc: "Hosts." },
  { name: "retry.max", type: "integer", min: 0, default: 3, doc: "Most." },
  { name: "retry.first.ms", type: "integer", default: 1, doc: "First." },
];

const SCALAR: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    false,
    "all",
    "0",
    0,
    1,
    5,
    10,
    11,
    0.5,
    -1,
    "5",
    "abc",
    "",
    "ABCD",
    "true",
  ),
  fc.string({ maxLength: 4 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const VALUE: fc.Arbitrary<Json> = fc.oneof(
  { arbitrary: SCALAR, weight: 4 },
  fc.array(SCALAR, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("a", "b", "c", "max", "first", "ms"), SCALAR, {
    maxKeys: 3,
    noNullPrototype: true,
  }),
);

/** A value that a field takes, or now and then any other. */
function valueOf(spec: FieldSpec): fc.Arbitrary<Json> {
  const good: Readonly<Record<FieldSpec["type"], fc.Arbitrary<Json>>> = {
    string: fc.constantFrom<Json>(...spec.values ?? ["a", "abc"]),
    integer: fc.integer({ min: spec.min ?? 0, max: spec.max ?? 9 }),
    number: fc.double({ min: 0, max: 1, noNaN: true }),
    boolean: fc.boolean(),
    list: fc.array(fc.constantFrom<Json>("a", "bc"), { maxLength: 2 }),
    string_map: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.string(), {
      maxKeys: 2,
      noNullPrototype: true,
    }),
    object: fc.constant<Json>({}),
  };
  return fc.oneof({ arbitrary: good[spec.type], weight: 12 }, VALUE);
}

type JsonObject = { readonly [name: string]: Json };

const field = (name: string) => valueOf(SPECS.find((spec) => spec.name === name)!);

/** An object with some of these members. */
function some(members: Readonly<Record<string, fc.Arbitrary<Json>>>): fc.Arbitrary<JsonObject> {
  const pairs = Object.entries(members).map(([name, value]) =>
    value.map((one): [string, Json] => [name, one])
  );
  return fc.tuple(...pairs.map((pair) => fc.option(pair)))
    .map((given) => Object.fromEntries(given.filter((pair) => pair !== null)));
}

const group = (members: Readonly<Record<string, fc.Arbitrary<Json>>>) =>
  fc.oneof({ arbitrary: some(members), weight: 12 }, VALUE);

/** Good ones and bad ones are both frequent. */
const CONFIG: fc.Arbitrary<JsonObject> = fc.tuple(
  field("sink_type"),
  some({
    ...Object.fromEntries(
      SPECS.filter(({ name }) => !name.includes(".")).map(({ name }) => [name, field(name)]),
    ),
    retry: group({ max: field("retry.max"), first: group({ ms: field("retry.first.ms") }) }),
  }),
  fc.oneof(
    { arbitrary: fc.constant<JsonObject>({}), weight: 6 },
    fc.dictionary(fc.constantFrom("unknown", "retry.max", "Acks"), VALUE, {
      minKeys: 1,
      noNullPrototype: true,
    }),
  ),
).map(([sink, known, unknown]) => ({ sink_type: sink, ...known, ...unknown }));

const isObject = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What the rules of the declarations say of one value, written down a second time, plainly. */
function fits(spec: FieldSpec, value: Json): boolean {
  const within = (size: number) => size >= (spec.min ?? -Infinity) && size <= (spec.max ?? Infinity);
  const matches = (text: Json) =>
    typeof text === "string" && new RegExp(`^(${spec.pattern ?? "[^]*"})$`, "u").test(text);
  switch (spec.type) {
    case "string":
      return matches(value) && within([...value as string].length) &&
        (spec.values?.includes(value as string) ?? true);
    case "integer":
      return Number.isSafeInteger(value) && within(value as number);
    case "number":
      return typeof value === "number" && within(value);
    case "boolean":
      return typeof value === "boolean";
    case "list":
      return Array.isArray(value) && within(value.length) &&
        (spec.pattern === undefined || value.every(matches));
    case "string_map":
      return isObject(value) && within(Object.keys(value).length) &&
        Object.values(value).every((entry) => typeof entry === "string");
    case "object":
      return isObject(value) && within(Object.keys(value).length);
  }
}

/** The value at a dotted name; undefined where it, or a level above it, is not given. */
function at(config: Json, name: string): Json | undefined {
  return name.split(".").reduce<Json | undefined>(
    (value, step) => isObject(value) ? value[step] : undefined,
    config,
  );
}

/** Whether every key, on every level, belongs to a declared field. */
function isKnown(config: Json, prefix = ""): boolean {
  if (!isObject(config)) return config === null || prefix === "";
  return Object.entries(config).every(([key, value]) => {
    if (key.includes(".")) return false;
    const name = `${prefix}${key}`;
    if (SPECS.some((spec) => spec.name === name)) return true;
    return SPECS.some((spec) => spec.name.startsWith(`${name}.`)) && isKnown(value, `${name}.`);
  });
}

Deno.test("parseFields() takes what the declarations allow, and nothing else", () => {
  let good = 0;
  fc.assert(
    fc.property(CONFIG, (config) => {
      const { values, problems } = parseFields(SPECS, [], config);
      const bad = SPECS.filter((spec) => {
        const value = at(config, spec.name) ?? null;
        return value === null ? spec.required === true : !fits(spec, value);
      });
      const isGood = bad.length === 0 && isKnown(config);
      assert.equal(problems.length === 0, isGood, JSON.stringify({ config, problems }));
      for (const { name } of bad) {
        const named = problems.some(({ field }) => field === name || field.startsWith(`${name}.`));
        assert.ok(named, `${name} is wrong and not named: ${JSON.stringify({ config, problems })}`);
      }
      if (!isGood) return;
      good++;
      for (const spec of SPECS) {
        assert.deepEqual(values[spec.name], at(config, spec.name) ?? spec.default ?? null);
      }
    }),
    { numRuns: 3_000 },
  );
  assert.ok(good > 500 && good < 2_500, `${good} good configurations of 3,000: both kinds must be frequent`);
});

Deno.test("parseFields() answers any JSON with values or problems, never with an exception", () => {
  const names = [...KERNEL_FIELDS, ...REGISTRY.flatMap(({ description }) => description.fields)];
  fc.assert(fc.property(fc.jsonValue(), (json) => {
    const { problems } = parseFields(names, [], json as Json);
    // Every configuration lacks at least the required sink_type, unless it happens to be there.
    if (at(json as Json, "sink_type") === undefined) assert.ok(problems.length > 0);
    for (const { message } of problems) assert.match(message, /^Cannot /);
  }));
});
