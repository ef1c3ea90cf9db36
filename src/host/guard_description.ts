/**
 * Checks of a plugin's description.
 *
 * @module
 */

import {
  CONTRACT_VERSION,
  type FieldCondition,
  type FieldRule,
  type FieldSpec,
  type FieldType,
  type Json,
  type PermissionRequest,
  type PluginDescription,
  type TopicRule,
} from "@pg-tide/sdk";
import { HOST_LIMITS } from "./limits.ts";
import {
  GuardError,
  member,
  optional,
  readBoolean,
  readInteger,
  readJson,
  readList,
  readName,
  readNumber,
  readObject,
  readOneOf,
  readText,
  refuse,
} from "./guard_value.ts";

const PLUGIN_NAME_REGEXP = /^[a-z][a-z0-9_]{0,62}$/;
const FIELD_NAME_REGEXP = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/;
const FIELD_TYPES: readonly FieldType[] = [
  "string",
  "boolean",
  "integer",
  "number",
  "string_map",
  "object",
  "list",
];
const FLAGS = ["required", "secret", "interpolates", "file", "template"] as const;

/**
 * Read a plugin's description.
 *
 * @throws {GuardError} naming the part that is wrong
 */
export function readDescription(value: unknown): PluginDescription {
  const at = "description";
  const members = readObject(value, at);
  const contract = readInteger(member(members, "contract"), `${at}.contract`, 1, 1_000_000);
  if (contract !== CONTRACT_VERSION) {
    throw new GuardError(
      `description.contract is ${contract}: this relay speaks version ${CONTRACT_VERSION} of the plugin contract`,
    );
  }
  const description: PluginDescription = {
    name: readPattern(member(members, "name"), `${at}.name`, PLUGIN_NAME_REGEXP),
    kind: readOneOf(member(members, "kind"), `${at}.kind`, ["sink", "format"]),
    contract,
    summary: readText(member(members, "summary"), `${at}.summary`),
    fields: readList(member(members, "fields"), `${at}.fields`, HOST_LIMITS.fields, readField),
    ...optional(members, "rules", at, (rules, where) => readList(rules, where, HOST_LIMITS.rules, readRule)),
    permissions: readPermissions(member(members, "permissions"), `${at}.permissions`),
    ...optional(members, "identity", at, readJsonObject),
    ...optional(members, "topicRule", at, readTopicRule),
    ...optional(members, "partitions", at, readBoolean),
  };
  checkTogether(description);
  return description;
}

function checkTogether(
  { fields, permissions, kind, identity, topicRule, partitions }: PluginDescription,
): void {
  const names = new Set(fields.map(({ name }) => name));
  if (names.size !== fields.length) refuse("description.fields", "a list of different names");
  for (const list of ["net", "guardedNet"] as const) {
    for (const entry of permissions[list] ?? []) {
      const field = /^\{(.*)\}$/s.exec(entry)?.[1];
      if (field !== undefined && !names.has(field)) {
        refuse(`description.permissions.${list}`, `made of its fields: ${field}`);
      }
    }
  }
  if (kind === "sink" && identity !== undefined) refuse("description.identity", "for sinks");
  if (kind === "format" && topicRule !== undefined) refuse("description.topicRule", "for formats");
  if (kind === "format" && partitions !== undefined) refuse("description.partitions", "for formats");
  if (kind === "format" && permissions.discoversHosts === true) {
    refuse("description.permissions.discoversHosts", "for formats");
  }
}

function readField(value: unknown, at: string): FieldSpec {
  const members = readObject(value, at);
  const field: FieldSpec = {
    name: readPattern(member(members, "name"), `${at}.name`, FIELD_NAME_REGEXP),
    type: readOneOf(member(members, "type"), `${at}.type`, FIELD_TYPES),
    doc: readText(member(members, "doc"), `${at}.doc`),
    ...optional(members, "default", at, readJson),
    ...optional(members, "values", at, (values, where) => readList(values, where, 1_000, readChoice)),
    ...optional(members, "min", at, readNumber),
    ...optional(members, "max", at, readNumber),
    ...optional(members, "pattern", at, readRegExp),
    ...optional(members, "patternDoc", at, readText),
    ...optional(members, "examples", at, (examples, where) => readList(examples, where, 20, readJson)),
  };
  const flags = FLAGS.map((flag) => optional(members, flag, at, readBoolean));
  const whole: FieldSpec = Object.assign({}, field, ...flags);
  checkField(whole, at);
  return whole;
}

function checkField(field: FieldSpec, at: string): void {
  const given = field.default ?? null;
  if (field.required === true && given !== null) refuse(`${at}.default`, "for a required field");
  if (given !== null && !isOfType(given, field.type)) refuse(`${at}.default`, `of type ${field.type}`);
  if (field.secret === true && given !== null) refuse(`${at}.default`, "for a secret");
}

function isOfType(value: Json, type: FieldType): boolean {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isSafeInteger(value);
    case "number":
      return typeof value === "number";
    case "list":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "string_map":
      return isObject(value) && Object.values(value ?? {}).every((entry) => typeof entry === "string");
  }
}

function isObject(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readChoice(value: unknown, at: string): string | number {
  return typeof value === "number" ? readNumber(value, at) : readName(value, at, 1_000);
}

function readRule(value: unknown, at: string): FieldRule {
  const members = readObject(value, at);
  return {
    when: readCondition(member(members, "when"), `${at}.when`),
    then: readCondition(member(members, "then"), `${at}.then`),
    message: readText(member(members, "message"), `${at}.message`),
  };
}

function readCondition(value: unknown, at: string): FieldCondition {
  const members = readObject(value, at);
  return {
    field: readName(member(members, "field"), `${at}.field`, HOST_LIMITS.nameMax),
    ...optional(members, "is", at, (is, where) => readList(is, where, 1_000, readJson)),
  };
}

function readPermissions(value: unknown, at: string): PermissionRequest {
  const members = readObject(value, at);
  const readTexts = (list: unknown, where: string) =>
    readList(list, where, HOST_LIMITS.fields, (entry, place) => readName(entry, place, 300));
  return {
    ...optional(members, "net", at, readTexts),
    ...optional(members, "guardedNet", at, readTexts),
    ...optional(members, "discoversHosts", at, readBoolean),
    ...optional(members, "assets", at, readTexts),
  };
}

function readTopicRule(value: unknown, at: string): TopicRule {
  const members = readObject(value, at);
  return {
    pattern: readRegExp(member(members, "pattern"), `${at}.pattern`),
    doc: readText(member(members, "doc"), `${at}.doc`),
  };
}

function readJsonObject(value: unknown, at: string): Readonly<Record<string, Json>> {
  readObject(value, at);
  return readJson(value, at) as Readonly<Record<string, Json>>;
}

function readPattern(value: unknown, at: string, pattern: RegExp): string {
  const name = readName(value, at, HOST_LIMITS.nameMax);
  return pattern.test(name) ? name : refuse(at, `a name like ${pattern.source}: ${JSON.stringify(name)}`);
}

function readRegExp(value: unknown, at: string): string {
  const source = readName(value, at, HOST_LIMITS.patternMax);
  try {
    new RegExp(source, "u");
    return source;
  } catch {
    return refuse(at, "a regular expression");
  }
}
