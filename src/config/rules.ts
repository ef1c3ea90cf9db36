/**
 * Rules between fields.
 *
 * @module
 */

import type { FieldCondition, FieldRule, Json } from "@pg-tide/sdk";
import type { Problem } from "../base/errors.ts";
import { holdsReference } from "./reference.ts";

/**
 * The rules that are broken.
 *
 * @param values by field name, with defaults. A rule that asks for the value of a text with a reference is passed over:
 * it is checked again when the reference is resolved
 * @param wrong fields that have a problem of their own; rules about them would only repeat it
 */
export function checkRules(
  rules: readonly FieldRule[],
  values: Readonly<Record<string, Json>>,
  wrong: ReadonlySet<string> = new Set(),
): Problem[] {
  const broken = (rule: FieldRule) =>
    !wrong.has(rule.when.field) && !wrong.has(rule.then.field) &&
    holds(rule.when, values) === true && holds(rule.then, values) === false;
  return rules.filter(broken).map(({ then, message }) => ({ field: then.field, message }));
}

/** Whether a condition holds, or `null` when that is not known yet. */
function holds({ field, is }: FieldCondition, values: Readonly<Record<string, Json>>): boolean | null {
  const value = values[field] ?? null;
  if (is === undefined) return value !== null;
  if (holdsReference(value)) return null;
  return is.some((wanted) => JSON.stringify(wanted) === JSON.stringify(value));
}
