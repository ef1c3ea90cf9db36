/**
 * JMESPath's built-in functions.
 *
 * @module
 */

import { type ExactJson, ExactNumber, parseExact } from "../base/exact_json.ts";
import { type Arguments, isNumber, isText, type Key, type NumberValue } from "./arguments.ts";
import { compareText, EvaluationError, isEqual, setMember, toDouble, typeOf } from "./value.ts";

/** A function: how many arguments it takes, and what it does with them. */
export interface BuiltIn {
  readonly arity: readonly [fewest: number, most: number];
  readonly call: (args: Arguments) => ExactJson;
}

/** The functions by name. */
export const BUILT_INS: ReadonlyMap<string, BuiltIn> = new Map<string, BuiltIn>([
  ["abs", { arity: [1, 1], call: (args) => absolute(args.number(0)) }],
  ["avg", { arity: [1, 1], call: (args) => average(args.numbers(0)) }],
  ["ceil", { arity: [1, 1], call: (args) => rounded(args.number(0), Math.ceil) }],
  ["contains", { arity: [2, 2], call: contains }],
  ["ends_with", { arity: [2, 2], call: (args) => args.text(0).endsWith(args.text(1)) }],
  ["floor", { arity: [1, 1], call: (args) => rounded(args.number(0), Math.floor) }],
  ["join", { arity: [2, 2], call: join }],
  ["keys", { arity: [1, 1], call: (args) => Object.keys(args.object(0)) }],
  ["length", { arity: [1, 1], call: length }],
  ["map", { arity: [2, 2], call: (args) => args.list(1).map(args.key(0)) }],
  ["max", { arity: [1, 1], call: (args) => extreme(orderable(args), 1) }],
  ["max_by", { arity: [2, 2], call: (args) => extremeBy(args, 1) }],
  ["merge", { arity: [1, Infinity], call: merge }],
  ["min", { arity: [1, 1], call: (args) => extreme(orderable(args), -1) }],
  ["min_by", { arity: [2, 2], call: (args) => extremeBy(args, -1) }],
  ["not_null", { arity: [1, Infinity], call: notNull }],
  ["reverse", { arity: [1, 1], call: reverse }],
  ["sort", { arity: [1, 1], call: (args) => [...orderable(args)].sort(compare) }],
  ["sort_by", { arity: [2, 2], call: sortBy }],
  ["starts_with", { arity: [2, 2], call: (args) => args.text(0).startsWith(args.text(1)) }],
  ["sum", { arity: [1, 1], call: (args) => finite(sum(args.numbers(0))) }],
  ["to_array", { arity: [1, 1], call: (args) => toArray(args.any(0)) }],
  ["to_number", { arity: [1, 1], call: (args) => toNumber(args.any(0)) }],
  ["to_string", { arity: [1, 1], call: toText }],
  ["type", { arity: [1, 1], call: (args) => typeOf(args.any(0)) }],
  ["values", { arity: [1, 1], call: (args) => Object.values(args.object(0)) }],
]);

/** A number that has its source loses only the sign, not a digit. */
function absolute(x: NumberValue): NumberValue {
  if (typeof x === "number") return Math.abs(x);
  return x.source.startsWith("-") ? new ExactNumber(x.source.slice(1)) : x;
}

/** An integer is its own floor and ceiling, whatever its size. */
function rounded(x: NumberValue, round: (x: number) => number): NumberValue {
  if (typeof x === "number") return round(x);
  return /^-?\d+$/.test(x.source) ? x : finite(round(x.value));
}

function average(numbers: readonly NumberValue[]): ExactJson {
  return numbers.length === 0 ? null : finite(sum(numbers) / numbers.length);
}

function sum(numbers: readonly NumberValue[]): number {
  return numbers.reduce<number>((total, x) => total + (toDouble(x) ?? 0), 0);
}

/** JSON has no infinity: rather no message than `null` in its place. */
function finite(x: number): number {
  if (Number.isFinite(x)) return x;
  throw new EvaluationError("TRANSFORM_FAILED", "a number is too large");
}

function contains(args: Arguments): ExactJson {
  const subject = args.any(0);
  const wanted = args.any(1);
  if (typeof subject === "string") return typeof wanted === "string" && subject.includes(wanted);
  return args.list(0).some((item) => isEqual(item, wanted, args.spend));
}

function join(args: Arguments): ExactJson {
  const glue = args.text(0);
  const parts = args.strings(1);
  args.spend(parts.reduce((total, part) => total + glue.length + part.length, 0) / 16);
  return parts.join(glue);
}

function length(args: Arguments): ExactJson {
  const value = args.any(0);
  if (typeof value === "string") return [...value].length;
  return Array.isArray(value) ? value.length : Object.keys(args.object(0)).length;
}

function merge(args: Arguments): ExactJson {
  const merged: { [name: string]: ExactJson } = {};
  for (let i = 0; i < args.length; i++) {
    for (const [name, value] of Object.entries(args.object(i))) setMember(merged, name, value);
  }
  return merged;
}

function notNull(args: Arguments): ExactJson {
  for (let i = 0; i < args.length; i++) {
    const value = args.any(i);
    if (value !== null) return value;
  }
  return null;
}

function reverse(args: Arguments): ExactJson {
  const value = args.any(0);
  return typeof value === "string" ? [...value].reverse().join("") : [...args.list(0)].reverse();
}

function toArray(value: ExactJson): ExactJson {
  return Array.isArray(value) ? value : [value];
}

function toNumber(value: ExactJson): ExactJson {
  if (isNumber(value)) return value;
  return typeof value === "string" && /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(value)
    ? parseExact(value)
    : null;
}

function toText(args: Arguments): ExactJson {
  const value = args.any(0);
  if (typeof value === "string") return value;
  const text = JSON.stringify(value);
  args.spend(text.length / 16);
  return text;
}

type Orderable = readonly NumberValue[] | readonly string[];

/** The first argument as a list of numbers or a list of strings. */
function orderable(args: Arguments): Orderable {
  return args.list(0).every(isText) ? args.strings(0) : args.numbers(0);
}

/** Order of two numbers, or of two strings; the caller has made sure that they are of one type. */
function compare(a: NumberValue | string, b: NumberValue | string): number {
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  return Number(toDouble(a)) - Number(toDouble(b));
}

function extreme(items: Orderable, sign: 1 | -1): ExactJson {
  let best: NumberValue | string | null = null;
  for (const item of items) {
    if (best === null || compare(item, best) * sign > 0) best = item;
  }
  return best;
}

interface Keyed {
  readonly item: ExactJson;
  readonly key: NumberValue | string;
}

/** The items of a list with their keys, which must be all numbers or all strings. */
function keyed(args: Arguments): Keyed[] {
  const key: Key = args.key(1);
  let type: string | null = null;
  return args.list(0).map((item) => {
    const value = key(item);
    const found = typeOf(value);
    if ((!isNumber(value) && !isText(value)) || (type ??= found) !== found) {
      const text = `a key of sort_by(), max_by() or min_by() is ${found}, expected ${
        type ?? "number or string"
      }`;
      throw new EvaluationError("TRANSFORM_FAILED", text);
    }
    return { item, key: value };
  });
}

function sortBy(args: Arguments): ExactJson {
  return keyed(args).sort((a, b) => compare(a.key, b.key)).map(({ item }) => item);
}

function extremeBy(args: Arguments, sign: 1 | -1): ExactJson {
  let best: Keyed | null = null;
  for (const candidate of keyed(args)) {
    if (best === null || compare(candidate.key, best.key) * sign > 0) best = candidate;
  }
  return best === null ? null : best.item;
}
