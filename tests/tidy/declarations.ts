/**
 * Fields as they are shown in different places, read back from there: to compare them with the one declaration of each.
 *
 * @module
 */

import type { FieldSpec, Json } from "@pg-tide/sdk";
import { sectionsOf } from "../support/readme.ts";

/** What every place shows of a field; the default as JSON, `required` for none, `null` for none either. */
export interface ShownField {
  readonly name: string;
  readonly type: string;
  readonly default: string;
}

/** A field as declared. */
export function declared(spec: FieldSpec): ShownField {
  return { name: spec.name, type: spec.type, default: spec.required ? "required" : presetOf(spec.default) };
}

/** The fields of all tables in a section of the README. */
export function inReadme(markdown: string, section: string): readonly ShownField[] {
  const text = sectionsOf(markdown).find(({ name }) => name === section)?.text ?? "";
  return text.split("\n").filter((line) => line.startsWith("| `")).map((line) => {
    // The last three columns are type, default and description in every table, the first is the name.
    const cells = line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
    const [type, preset] = cells.slice(-3);
    return { name: bare(cells[0]!), type: type!.replaceAll(" ", "_"), default: bare(preset!) };
  });
}

/** The fields of a JSON Schema, by their dotted names. */
export function inSchema(schema: Json, prefix = ""): readonly ShownField[] {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).flatMap(([key, member]) => {
    const { type, default: preset, additionalProperties, description } = member as Record<string, Json>;
    if (description === undefined) return inSchema(member, `${prefix}${key}.`);
    const kind = SCHEMA_TYPES[String([type].flat()[0])] ?? "unknown";
    return [{
      name: `${prefix}${key}`,
      type: kind === "object" && additionalProperties !== undefined ? "string_map" : kind,
      default: required.includes(key) ? "required" : presetOf(preset),
    }];
  });
}

/** The settings in the text of `--help`: the flag as name, and the default where one is shown. */
export function inHelp(help: string): readonly Omit<ShownField, "type">[] {
  const options = help.split("Options:\n")[1]?.split("\n\n")[0]?.replaceAll(/\n {10,}/g, " ") ?? "";
  return options.split("\n").flatMap((line) => {
    const [, flag, preset] = /^ {2}--([a-z-]+).*?\((?:default (.*), )?env [A-Z_]+\)$/.exec(line) ?? [];
    return flag === undefined ? [] : [{ name: flag.replaceAll("-", "_"), default: preset ?? "null" }];
  });
}

/** The rows that an installation script writes into `tide.plugin`. */
export function inScript(script: string): readonly Readonly<Record<string, Json>>[] {
  const literal = /jsonb_to_recordset\(\('((?:[^']|'')*)'::text\)::jsonb\)/.exec(script)?.[1];
  return literal === undefined ? [] : JSON.parse(literal.replaceAll("''", "'"));
}

const SCHEMA_TYPES: Readonly<Record<string, FieldSpec["type"]>> = {
  string: "string",
  boolean: "boolean",
  integer: "integer",
  number: "number",
  object: "object",
  array: "list",
};

function presetOf(preset: Json | undefined): string {
  return preset === undefined ? "null" : JSON.stringify(preset);
}

function bare(cell: string): string {
  return cell.replaceAll("`", "").replace(/^--/, "");
}
