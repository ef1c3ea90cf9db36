/**
 * Values of expressions: what JMESPath says about types, truth, equality and order, with numbers that stay exact.
 *
 * @module
 */

import { type ExactJson, ExactNumber } from "../base/exact_json.ts";

/** An expression cannot be evaluated on a message; the message is rejected. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
  constructor(readonly code: "TRANSFORM_FAILED" | "TRANSFORM_TOO_LARGE", message: string) {
    super(message);
  }
}

/** JMESPath's types. */
export type TypeName = "array" | "boolean" | "null" | "number" | "object" | "string";

/** The JMESPath type of a value. */
export function typeOf(value: ExactJson): TypeName {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof ExactNumber) return "number";
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? type : "object";
}

/** An object that is neither an array nor a number with its source. */
export function isObject(value: ExactJson): value is { [name: string]: ExactJson } {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof ExactNumber);
}

/** A number's double, or `null` for what is not a number. */
export function toDouble(value: ExactJson): number | null {
  if (typeof value === "number") return value;
  return value instanceof ExactNumber ? value.value : null;
}

/** Truth by the specification: `null`, `false`, and the empty string, list and object are false; 0 is true. */
export function isTrue(value: ExactJson): boolean {
  if (value === null || value === false || value === "") return false;
  if (Array.isArray(value)) return value.length > 0;
  return !isObject(value) || Object.keys(value).length > 0;
}

/** A member of an object, never one of its prototype. */
export function member(value: ExactJson, name: string): ExactJson {
  return isObject(value) && Object.hasOwn(value, name) ? value[name]! : null;
}

/** Set a member; `__proto__` is a name like any other. */
export function setMember(object: { [name: string]: ExactJson }, name: string, value: ExactJson): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true });
  } else {
    object[name] = value;
  }
}

/**
 * Deep equality. Numbers are compared as doubles.
 *
 * @param spend called with the amount of work, so that a bound can be kept
 */
export function isEqual(a: ExactJson, b: ExactJson, spend: (steps: number) => void): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    spend(a.length);
    return a.every((item, i) => isEqual(item, b[i]!, spend));
  }
  if (isObject(a)) {
    if (!isObject(b)) return false;
    const names = Object.keys(a);
    spend(names.length);
    return names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && isEqual(a[name]!, b[name]!, spend));
  }
  const double = toDouble(a);
  return double !== null && double === toDouble(b);
}

/** Order of two strings by code points (JavaScript's own order is by UTF-16 units). */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above all others.
    const xHigh = x >= 0xd800 && x < 0xe000;
    const yHigh = y >= 0xd800 && y < 0xe000;
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}
