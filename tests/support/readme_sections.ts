/**
 * What is generated in README.md, out of the declarations that the program itself reads.
 *
 * @module
 */

import type { FieldSpec, PluginDescription } from "@pg-tide/sdk";
import { REGISTRY } from "../../plugins/registry.ts";
import { CONFIG_SETTING, flagOf, SETTING_FIELDS, variableOf } from "../../src/config/flags.ts";
import { KERNEL_FIELDS } from "../../src/config/kernel_fields.ts";
import { markdownTable } from "../../src/config/tables.ts";
import { releasesTable, servicesTable } from "./compatibility.ts";

/** Every generated section, by name. */
export function readmeSections(): Readonly<Record<string, string>> {
  return {
    "pipeline-fields": markdownTable(KERNEL_FIELDS),
    "plugin-fields": REGISTRY.map(({ description }) => pluginSection(description)).join("\n\n"),
    settings: settingsTable(),
    "kafka-releases": releasesTable(),
    "kafka-services": servicesTable(),
  };
}

/** A plugin's heading, what it is, and its fields under the names by which a pipeline sets them. */
function pluginSection({ kind, name, summary, fields }: PluginDescription): string {
  const heading = kind === "sink" ? `### \`"sink_type": "${name}"\`` : `### \`"wire_format": "${name}"\``;
  const table = fields.length === 0
    ? "It has no fields of its own."
    : markdownTable(fields.map(fieldUnder(kind)));
  return `${heading}\n\n${summary}.\n\n${table}`;
}

function fieldUnder(kind: PluginDescription["kind"]): (field: FieldSpec) => FieldSpec {
  return (field) => kind === "sink" ? field : { ...field, name: `wire_config.${field.name}` };
}

/** The settings with their three notations. */
function settingsTable(): string {
  return markdownTable(SETTING_FIELDS).split("\n").map((row, i) => {
    if (i === 0) return row.replace("| Field |", "| Flag | Environment | File |");
    if (i === 1) return `| --- | --- ${row}`;
    const { name } = SETTING_FIELDS[i - 2]!;
    const key = name === CONFIG_SETTING ? "" : `\`${name}\``;
    return row.replace(`| \`${name}\` |`, `| \`${flagOf(name)}\` | \`${variableOf(name)}\` | ${key} |`);
  }).join("\n");
}
