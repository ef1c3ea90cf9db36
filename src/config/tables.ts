/**
 * Field declarations for people: the tables of the README, and the text of `--help` and `plugin inspect`.
 *
 * @module
 */

import type { FieldSpec } from "@pg-tide/sdk";

/** The fields as a Markdown table. */
export function markdownTable(specs: readonly FieldSpec[]): string {
  const rows = specs.map((spec) => {
    const cells = [
      `\`${spec.name}\``,
      spec.type.replaceAll("_", " "),
      markdownDefault(spec),
      markdownDoc(spec),
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| Field | Type | Default | Description |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** The fields as text, one after the other, each with its description below. */
export function fieldText(specs: readonly FieldSpec[]): string {
  return specs.map((spec) => {
    const preset = spec.required === true ? "required" : `default ${defaultText(spec)}`;
    const notes = fieldNotes(spec).map((note) => `\n      ${note}`).join("");
    return `  ${spec.name} (${spec.type.replaceAll("_", " ")}, ${preset})\n      ${spec.doc}${notes}`;
  }).join("\n");
}

/** A field's default as it would be written in JSON. */
export function defaultText({ default: preset }: FieldSpec): string {
  return preset === undefined ? "null" : JSON.stringify(preset);
}

/** What a field accepts and takes, in sentences. */
export function fieldNotes(spec: FieldSpec): string[] {
  const notes: string[] = [];
  if (spec.values !== undefined) {
    notes.push(`One of ${spec.values.map((value) => JSON.stringify(value)).join(", ")}.`);
  } else if (spec.patternDoc !== undefined) notes.push(`Must be ${spec.patternDoc}.`);
  const range = rangeText(spec);
  if (range !== null) notes.push(range);
  if (spec.file === true) notes.push("A path, read by the relay, or the PEM text itself.");
  if (spec.interpolates === true) notes.push("Takes ${env:NAME} and ${file:/path}.");
  if (spec.template === true) notes.push("Takes template variables.");
  if (spec.secret === true) notes.push("Never shown.");
  return notes;
}

/** Bounds are shown where they bound a number; those of texts and lists are there to keep them finite. */
function rangeText({ type, min, max }: FieldSpec): string | null {
  if (type !== "integer" && type !== "number") return null;
  if (min !== undefined && max !== undefined) return `From ${min} to ${max}.`;
  if (min !== undefined) return `At least ${min}.`;
  return max === undefined ? null : `At most ${max}.`;
}

function markdownDefault(spec: FieldSpec): string {
  return spec.required === true ? "required" : `\`${defaultText(spec)}\``;
}

function markdownDoc(spec: FieldSpec): string {
  const text = [spec.doc, ...fieldNotes(spec)].join(" ").replaceAll(/\s+/g, " ");
  return text.split(/(`[^`]*`)/).map((part) => part.startsWith("`") ? part : markdownText(part)).join("");
}

/** What Markdown would read as something else: references become code, stars and angles stay themselves. */
function markdownText(text: string): string {
  return text.replaceAll(/[*<]/g, "\\$&").replaceAll(/\$\{[^}]*\}/g, "`$&`");
}
