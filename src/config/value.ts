/**
 * Whether one value satisfies its field's declaration.
 *
 * @module
 */

import type { FieldSpec, Json } from "@pg-tide/sdk";
import type { Problem } from "../base/errors.ts";
import { redactUrls } from "./redact.ts";

/** How to check. */
export interface CheckOptions {
  /** Leave out what depends on the text itself: it still holds references. */
  readonly skipText?: boolean;
  /**
   * Stands for the value in messages. A value that came out of a reference is never shown: it may be a secret
   * whatever field it was put in.
   */
  readonly shownAs?: string;
}

/** What is wrong with a value; `null` must not be given. */
export function checkValue(spec: FieldSpec, value: Json, options: CheckOptions = {}): Problem[] {
  const type = typeProblem(spec, value, options);
  if (type !== null) return [{ field: spec.name, message: type }];
  const wanted = unmet(spec, value, options.skipText === true);
  if (wanted.length > 0) {
    const shown = options.shownAs ?? show(spec, value);
    return wanted.map((want) => ({
      field: spec.name,
      message: `Cannot use ${spec.name}: ${shown}, expected ${want}`,
    }));
  }
  return spec.type === "string_map" ? entryProblems(spec, value) : [];
}

const TYPE_DOC: Readonly<Record<FieldSpec["type"], string>> = {
  string: "a string",
  boolean: "true or false",
  integer: "an integer",
  number: "a number",
  string_map: "an object whose values are strings",
  object: "an object",
  list: "a list",
};

/** Whether a value has a type. */
export function hasType(type: FieldSpec["type"], value: Json): boolean {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isSafeInteger(value);
    case "number":
      return typeof value === "number" && Number.isFinite(value);
    case "list":
      return Array.isArray(value);
    case "object":
    case "string_map":
      return typeof value === "object" && value !== null && !Array.isArray(value);
  }
}

function typeProblem(spec: FieldSpec, value: Json, options: CheckOptions): string | null {
  if (hasType(spec.type, value)) return null;
  const shown = options.shownAs ?? show(spec, value);
  return `Cannot read ${spec.name}: ${shown}, expected ${TYPE_DOC[spec.type]}${quotesHint(spec, value)}`;
}

/** The commonest mistake: a number or boolean in quotes. */
function quotesHint(spec: FieldSpec, value: Json): string {
  if (typeof value !== "string" || spec.type === "string") return "";
  try {
    return hasType(spec.type, JSON.parse(value) as Json) ? " (without quotes)" : "";
  } catch {
    return "";
  }
}

/** What the value should be and is not. */
function unmet(spec: FieldSpec, value: Json, skipText: boolean): string[] {
  const wanted: string[] = [];
  const size = sizeOf(value);
  if (size !== null && !(skipText && typeof value === "string")) {
    const unit = unitOf(value);
    if (spec.min !== undefined && size < spec.min) wanted.push(`at least ${spec.min}${unit}`);
    if (spec.max !== undefined && size > spec.max) wanted.push(`at most ${spec.max}${unit}`);
  }
  if (skipText) return wanted;
  if (spec.values !== undefined && !spec.values.some((candidate) => candidate === value)) {
    wanted.push(oneOf(spec.values));
  }
  if (spec.pattern !== undefined && !textsOf(value).every((text) => matchesWhole(spec.pattern!, text))) {
    wanted.push(spec.patternDoc ?? `a text like ${spec.pattern}`);
  }
  return wanted;
}

function entryProblems(spec: FieldSpec, value: Json): Problem[] {
  return Object.entries(value ?? {}).filter(([, entry]) => typeof entry !== "string").map((
    [name, entry],
  ) => ({
    field: `${spec.name}.${name}`,
    message: `Cannot read ${spec.name}.${name}: ${show(spec, entry as Json)}, expected a string`,
  }));
}

/** What `min` and `max` bound. */
function sizeOf(value: Json): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "string") return [...value].length;
  if (Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? Object.keys(value).length : null;
}

function unitOf(value: Json): string {
  if (typeof value === "number") return "";
  return typeof value === "string" ? " characters" : " entries";
}

/** The texts that a pattern is about: the value, or a list's items. An item that is not a text fits no pattern. */
function textsOf(value: Json): (string | null)[] {
  return (Array.isArray(value) ? value : [value]).map((item) => typeof item === "string" ? item : null);
}

function matchesWhole(pattern: string, text: string | null): boolean {
  return text !== null && new RegExp(`^(?:${pattern})$`, "u").test(text);
}

/** `"a", "b" or "c"`. */
export function oneOf(values: readonly (string | number)[]): string {
  const texts = values.map((value) => JSON.stringify(value));
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} or ${texts.at(-1)}`;
}

/** A value for an error message: never a secret, never long. */
function show(spec: FieldSpec, value: Json): string {
  if (spec.secret === true) return `a secret ${Array.isArray(value) ? "list" : typeof value}`;
  const text = redactUrls(JSON.stringify(value));
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
