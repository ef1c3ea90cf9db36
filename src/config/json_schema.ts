/**
 * Field declarations as a JSON Schema (draft 2020-12), for editors and for programs that write configurations.
 *
 * @module
 */

import type { FieldCondition, FieldSpec, Json } from "@pg-tide/sdk";
import type { Declarations } from "./parse.ts";

/** An object of a schema. */
type Schema = { readonly [keyword: string]: Json };

/** What every text with a reference looks like; its value is not known to a schema. */
const REFERENCE = { pattern: "\\$\\{(env|file):" };

/**
 * The schema of configurations with these fields: dots of names are levels of nesting, unknown fields are refused.
 *
 * @param title for people
 */
export function jsonSchema(title: string, { specs, rules }: Declarations): Schema {
  const implications = rules.map(({ when, then, message }) => ({
    // What a reference stands for is not known: it sets no condition, and meets every one.
    if: conditionSchema(when, specs, false),
    then: conditionSchema(then, specs, true),
    $comment: message,
  }));
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    ...objectSchema(specs, ""),
    ...(implications.length === 0 ? {} : { allOf: implications }),
  };
}

function objectSchema(specs: readonly FieldSpec[], prefix: string): Schema {
  const properties: Record<string, Schema> = {};
  for (const spec of specs) {
    const [step, ...rest] = spec.name.slice(prefix.length).split(".");
    const path = `${prefix}${step}.`;
    properties[step!] ??= rest.length === 0
      ? fieldSchema(spec)
      : objectSchema(specs.filter(({ name }) => name.startsWith(path)), path);
  }
  const isOwn = ({ name }: FieldSpec) => !name.slice(prefix.length).includes(".");
  const required = specs.filter((spec) => spec.required === true && isOwn(spec));
  return {
    type: "object",
    properties,
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required: required.map(({ name }) => name.slice(prefix.length)) }),
  };
}

const JSON_TYPE: Readonly<Record<FieldSpec["type"], string>> = {
  string: "string",
  boolean: "boolean",
  integer: "integer",
  number: "number",
  string_map: "object",
  object: "object",
  list: "array",
};

function fieldSchema(spec: FieldSpec): Schema {
  const type = JSON_TYPE[spec.type];
  const text = textSchema(spec);
  const isText = spec.type === "string" && Object.keys(text).length > 0;
  return {
    description: spec.doc,
    // Null means the same as leaving the field out.
    type: spec.required === true ? type : [type, "null"],
    ...(spec.default === undefined ? {} : { default: spec.default }),
    ...(spec.examples === undefined ? {} : { examples: spec.examples }),
    ...(spec.type === "string_map" ? { additionalProperties: { type: "string" } } : {}),
    ...(spec.type === "list" && spec.pattern !== undefined
      ? { items: { type: "string", ...patternSchema(spec) } }
      : {}),
    ...(spec.secret === true ? { writeOnly: true } : {}),
    ...(spec.type === "string" ? {} : { ...sizeSchema(spec), ...valuesSchema(spec) }),
    ...(isText ? (spec.interpolates === true ? { anyOf: [text, REFERENCE] } : text) : {}),
  };
}

/** What a text with a reference need not satisfy. */
function textSchema(spec: FieldSpec): Schema {
  return { ...sizeSchema(spec), ...valuesSchema(spec), ...patternSchema(spec) };
}

function valuesSchema({ values, required }: FieldSpec): Schema {
  if (values === undefined) return {};
  return { enum: required === true ? values : [...values, null] };
}

function patternSchema({ pattern }: FieldSpec): Schema {
  return pattern === undefined ? {} : { pattern: `^(?:${pattern})$` };
}

function sizeSchema({ type, min, max }: FieldSpec): Schema {
  const suffix = { string: "Length", list: "Items", string_map: "Properties", object: "Properties" };
  const unit = type === "integer" || type === "number" || type === "boolean" ? "imum" : suffix[type];
  return {
    ...(min === undefined ? {} : { [`min${unit}`]: min }),
    ...(max === undefined ? {} : { [`max${unit}`]: max }),
  };
}

/** A condition on a field that may be nested, and that has its default when it is left out. */
function conditionSchema(
  { field, is }: FieldCondition,
  specs: readonly FieldSpec[],
  byReference: boolean,
): Schema {
  const preset = specs.find(({ name }) => name === field)?.default ?? null;
  const holdsByDefault = is === undefined ? preset !== null : is.some((value) => value === preset);
  const known: Schema = is === undefined ? { not: { type: "null" } } : { enum: is };
  const own = is !== undefined && byReference ? { anyOf: [known, { type: "string", ...REFERENCE }] } : known;
  const steps = field.split(".");
  return steps.reduceRight<Schema>((inner, step) => ({
    properties: { [step]: inner },
    ...(holdsByDefault ? {} : { required: [step] }),
  }), own);
}
