/**
 * References in texts: `${env:NAME}` and `${file:/path}`.
 *
 * @module
 */

import type { FieldSpec, Json } from "@pg-tide/sdk";
import type { Problem } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";

/** A reference in a text. */
export interface Reference {
  /** The word before the colon: `env`, `file`, or a mistake. */
  readonly kind: string;
  /** A name or a path. */
  readonly target: string;
}

// A word and a colon make it a reference; a lone "${" or "${x}" is text, as passwords may hold one.
const REFERENCE_REGEXP = /\$\{([A-Za-z_]+):([^}]*)\}/g;

/** The references in a text, in order. */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(REFERENCE_REGEXP)].map(([, kind, target]) => ({ kind: kind!, target: target! }));
}

/** A text with its references replaced. What takes their place is not looked at again. */
export function replaceReferences(text: string, replacement: (reference: Reference) => string): string {
  return text.replace(
    REFERENCE_REGEXP,
    (_match, kind: string, target: string) => replacement({ kind, target }),
  );
}

/** Whether a text, or a text in an object of texts, holds a reference. */
export function holdsReference(value: Json): boolean {
  if (typeof value === "string") return referencesIn(value).length > 0;
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).some((entry) => typeof entry === "string" && referencesIn(entry).length > 0);
}

/**
 * References that stand where none may, or are written wrongly. In a field that takes none, only `${env:…}` and
 * `${file:…}` are mistakes; any other text in braces is text.
 */
export function referenceProblems(spec: FieldSpec, value: Json, specs: Iterable<FieldSpec>): Problem[] {
  const texts = typeof value === "string"
    ? [value]
    : Object.values(value ?? {}).filter((text) => typeof text === "string");
  return texts.flatMap(referencesIn).flatMap(({ kind, target }) => {
    const known = kind === "env" || kind === "file";
    const expected = spec.interpolates === true ? wanted(kind, target) : fieldsThatInterpolate(specs);
    const bad = spec.interpolates === true ? !known || !isTarget(kind, target) : known;
    const message = `Cannot resolve \${${kind}:${target}} in ${spec.name}: ${expected}`;
    return bad ? [{ field: spec.name, message }] : [];
  });
}

function wanted(kind: string, target: string): string {
  const nearest = nearestName(kind, ["env", "file"]);
  const hint = nearest === null || nearest === kind ? "" : ` (did you mean \${${nearest}:${target}}?)`;
  return `expected \${env:NAME} or \${file:/path}${hint}`;
}

function isTarget(kind: string, target: string): boolean {
  return kind === "env" ? /^[A-Za-z_][A-Za-z0-9_]*$/.test(target) : target.startsWith("/");
}

function fieldsThatInterpolate(specs: Iterable<FieldSpec>): string {
  const names = [...specs].filter(({ interpolates }) => interpolates).map(({ name }) => name);
  return names.length === 0
    ? "no field here takes references"
    : `only these fields take references: ${names.join(", ")}`;
}
