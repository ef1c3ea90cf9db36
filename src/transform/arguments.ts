/**
 * The arguments of a JMESPath function, taken one by one with the type that the function wants.
 *
 * @module
 */

import { type ExactJson, ExactNumber } from "../base/exact_json.ts";
import { EvaluationError, isObject, toDouble, typeOf } from "./value.ts";

/** The expression behind a `&`, to be evaluated on many values. */
export type Key = (value: ExactJson) => ExactJson;

/** A value, or an expression behind a `&`. */
export type Argument = ExactJson | Key;

/** A number, exact or not. */
export type NumberValue = number | ExactNumber;

/** A call's arguments. Every accessor throws {@link EvaluationError} when the argument has another type. */
export class Arguments {
  readonly #name: string;
  readonly #values: readonly Argument[];

  /**
   * @param name the function's name, for errors
   * @param spend told the work done, so that a bound can be kept
   */
  constructor(name: string, values: readonly Argument[], readonly spend: (steps: number) => void) {
    this.#name = name;
    this.#values = values;
  }

  get length(): number {
    return this.#values.length;
  }

  any(i: number): ExactJson {
    const value = this.#values[i]!;
    return typeof value === "function" ? this.#refuse(i, "a value", "an expression") : value;
  }

  number(i: number): NumberValue {
    const value = this.any(i);
    return isNumber(value) ? value : this.#refuse(i, "a number", typeOf(value));
  }

  text(i: number): string {
    const value = this.any(i);
    return typeof value === "string" ? value : this.#refuse(i, "a string", typeOf(value));
  }

  list(i: number): readonly ExactJson[] {
    const value = this.any(i);
    if (!Array.isArray(value)) return this.#refuse(i, "an array", typeOf(value));
    this.spend(value.length);
    return value;
  }

  object(i: number): { readonly [name: string]: ExactJson } {
    const value = this.any(i);
    if (!isObject(value)) return this.#refuse(i, "an object", typeOf(value));
    this.spend(Object.keys(value).length);
    return value;
  }

  numbers(i: number): readonly NumberValue[] {
    const list = this.list(i);
    return list.every(isNumber) ? list : this.#refuse(i, "an array of numbers", "another array");
  }

  strings(i: number): readonly string[] {
    const list = this.list(i);
    return list.every(isText) ? list : this.#refuse(i, "an array of strings", "another array");
  }

  key(i: number): Key {
    const value = this.#values[i]!;
    return typeof value === "function" ? value : this.#refuse(i, "an expression (&…)", typeOf(value));
  }

  /** Refuse an argument. */
  #refuse(i: number, wanted: string, found: string): never {
    const text = `argument ${i + 1} of ${this.#name}() is ${found}, expected ${wanted}`;
    throw new EvaluationError("TRANSFORM_FAILED", text);
  }
}

/** Whether a value is a number. */
export function isNumber(value: ExactJson): value is NumberValue {
  return toDouble(value) !== null;
}

/** Whether a value is a string. */
export function isText(value: ExactJson): value is string {
  return typeof value === "string";
}
