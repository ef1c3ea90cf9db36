/**
 * The process's settings as options of a command.
 *
 * @module
 */

import type { FieldSpec } from "@pg-tide/sdk";
import { type Command, Option } from "commander";
import { flagOf, SETTING_FIELDS, variableOf } from "../config/flags.ts";
import type { SettingSources } from "../config/settings.ts";
import { defaultText } from "../config/tables.ts";

/**
 * Add settings to a command as options. They take texts: what they mean is for `resolveSettings` to say, which
 * reports all mistakes at once and knows the environment and the file.
 *
 * @param names the settings to add, `postgres_url`; by default all
 */
export function addSettingOptions(
  command: Command,
  names: readonly string[] = SETTING_FIELDS.map(({ name }) => name),
): Command {
  for (const spec of SETTING_FIELDS) {
    if (names.includes(spec.name)) command.addOption(optionOf(spec));
  }
  return command;
}

/** The settings given on a command line, by setting name, for `resolveSettings`. */
export function givenSettings(command: Command): SettingSources["flags"] {
  const given: Record<string, string | readonly string[]> = {};
  const options = command.optsWithGlobals<Readonly<Record<string, unknown>>>();
  for (const spec of SETTING_FIELDS) {
    const value = options[optionOf(spec).attributeName()];
    if (typeof value === "string" || isTexts(value)) given[spec.name] = value;
    else if (value === true) given[spec.name] = "true";
  }
  return given;
}

function optionOf(spec: FieldSpec): Option {
  if (spec.type === "boolean") return new Option(flagOf(spec.name), helpOf(spec));
  const option = new Option(`${flagOf(spec.name)} <${placeholderOf(spec)}>`, helpOf(spec));
  return spec.type === "list" ? option.argParser(collect) : option;
}

function placeholderOf(spec: FieldSpec): string {
  if (spec.name.endsWith("_ms")) return "milliseconds";
  if (spec.values !== undefined) return spec.values.join("|");
  const words = { config: "file", postgres_url: "url", plugin: "name=url", plugin_net: "name=host:port" };
  return Object.entries(words).find(([name]) => name === spec.name)?.[1] ??
    (spec.type === "list" ? "pattern" : spec.type);
}

function helpOf(spec: FieldSpec): string {
  const preset = spec.default === undefined || defaultText(spec) === "[]"
    ? ""
    : `default ${defaultText(spec)}, `;
  return `${spec.doc} (${preset}env ${variableOf(spec.name)})`;
}

/** Repeated options add up; each may also hold several values, separated by commas. */
function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), ...value.split(",").map((item) => item.trim()).filter((item) => item !== "")];
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
