/**
 * Reading untrusted values one by one. Everything a Worker sends is read through these, which give a checked copy of what they
 * know and drop the rest.
 *
 * @module
 */

import type { Json } from "@pg-tide/sdk";
import { HOST_LIMITS } from "./limits.ts";

/** A message that breaks the contract; says which part and how. */
export class GuardError extends TypeError {
  override readonly name = "GuardError";
}

/** The members of an object that crossed the border. */
export type Members = Readonly<Record<string, unknown>>;

/** Refuse: `at` is the path of the part, `expected` what the contract says. */
export function refuse(at: string, expected: string): never {
  throw new GuardError(`${at} is not ${expected}`);
}

/** An object, neither a list nor one of the built-in kinds that structured cloning keeps. */
export function readObject(value: unknown, at: string): Members {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    refuse(at, "an object");
  }
  return value as Members;
}

/** A member of its own, never an inherited one. */
export function member(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

/** A list of at most `max` values, each read by `read`. */
export function readList<T>(
  value: unknown,
  at: string,
  max: number,
  read: (entry: unknown, at: string) => T,
): T[] {
  if (!Array.isArray(value)) refuse(at, "a list");
  if (value.length > max) refuse(at, `a list of at most ${max}`);
  return Array.from(value, (entry: unknown, i) => read(entry, `${at}[${i}]`));
}

/** A whole number within bounds. */
export function readInteger(value: unknown, at: string, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    refuse(at, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A finite number. */
export function readNumber(value: unknown, at: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) refuse(at, "a finite number");
  return value;
}

/** A truth value. */
export function readBoolean(value: unknown, at: string): boolean {
  if (typeof value !== "boolean") refuse(at, "true or false");
  return value;
}

/** A text that must be short enough as it is. */
export function readName(value: unknown, at: string, max: number): string {
  if (typeof value !== "string") refuse(at, "a text");
  if (value.length > max) refuse(at, `a text of at most ${max} characters`);
  return value;
}

/** A text for a person: cut to the limit, without the characters that steer a terminal or split a log line. */
export function readText(value: unknown, at: string): string {
  if (typeof value !== "string") refuse(at, "a text");
  return cleanText(value);
}

/**
 * A text without control characters, whole characters only, cut to the contract's limit: between two words, as half a secret would
 * not be known for one.
 */
export function cleanText(text: string): string {
  const { textMax } = HOST_LIMITS;
  const cut = text.length <= textMax ? text : text.slice(0, textMax).replace(/\S+$/, "…");
  return cut.toWellFormed().replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
}

/** A stable code: capitals, digits and `_`. What is written otherwise is made so; logs and metrics count by it. */
export function readCode(value: unknown, at: string): string {
  if (typeof value !== "string" || value === "") refuse(at, "a code");
  return value.slice(0, HOST_LIMITS.codeMax).toUpperCase().replaceAll(/[^A-Z0-9_]/g, "_");
}

/** One of some texts. */
export function readOneOf<const T extends string>(value: unknown, at: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  return found ?? refuse(at, `one of ${known.join(", ")}`);
}

/** A JSON value, not too large. */
export function readJson(value: unknown, at: string): Json {
  const text = jsonText(value);
  if (text === undefined) refuse(at, "a JSON value");
  if (text.length > HOST_LIMITS.jsonMax) refuse(at, `JSON of at most ${HOST_LIMITS.jsonMax} characters`);
  return JSON.parse(text) as Json;
}

function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    // A cycle, or a bigint.
    return undefined;
  }
}

/** Something optional: absent is left out of the result. */
export function optional<K extends string, T>(
  members: Members,
  name: K,
  at: string,
  read: (value: unknown, at: string) => T,
): Partial<Record<K, T>> {
  const value = member(members, name);
  if (value === undefined) return {};
  return { [name]: read(value, `${at}.${name}`) } as Partial<Record<K, T>>;
}

/** The constructors of the typed arrays that pages are made of. */
interface ArrayKinds {
  readonly Uint8Array: Uint8Array<ArrayBuffer>;
  readonly Uint16Array: Uint16Array<ArrayBuffer>;
  readonly Uint32Array: Uint32Array<ArrayBuffer>;
  readonly Int32Array: Int32Array<ArrayBuffer>;
  readonly Float64Array: Float64Array<ArrayBuffer>;
}

/**
 * A typed array of that kind and length, over memory that only the relay can change from now on: neither shared with the
 * Worker nor resizable.
 */
export function readArray<K extends keyof ArrayKinds>(
  value: unknown,
  at: string,
  kind: K,
  length?: number,
): ArrayKinds[K] {
  if (!ArrayBuffer.isView(value) || Object.prototype.toString.call(value) !== `[object ${kind}]`) {
    refuse(at, `a ${kind}`);
  }
  const { buffer } = value;
  if (!(buffer instanceof ArrayBuffer) || buffer.resizable) refuse(at, "in a buffer of its own");
  const array = value as ArrayKinds[K];
  if (length !== undefined && array.length !== length) refuse(at, `of length ${length}`);
  return array;
}
