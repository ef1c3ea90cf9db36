/**
 * JSON text of bounded length.
 *
 * @module
 */

import { type ExactJson, ExactNumber } from "../base/exact_json.ts";
import { EvaluationError } from "./value.ts";

/**
 * The JSON text of a value.
 *
 * A projection may name one part of a payload many times, so a small value in memory can be a text of gigabytes:
 * its length is summed up before it is written.
 *
 * @param lengthMax the most characters, before any escaping
 * @throws {EvaluationError} when it would be longer
 */
export function stringifyWithin(value: ExactJson, lengthMax: number): string {
  if (take(value, lengthMax) < 0) {
    throw new EvaluationError("TRANSFORM_TOO_LARGE", `the result has more than ${lengthMax} characters`);
  }
  return JSON.stringify(value);
}

/** What is left of `room` when `value` is in it; negative as soon as it does not fit. */
function take(value: ExactJson, room: number): number {
  if (typeof value === "string") return room - value.length - 2;
  if (typeof value !== "object" || value === null) return room - 4;
  if (value instanceof ExactNumber) return room - value.source.length;
  let left = room - 2;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++) left = take(value[i]!, left - 1);
    return left;
  }
  for (const name of Object.keys(value)) {
    if (left < 0) return left;
    left = take(value[name]!, left - name.length - 3);
  }
  return left;
}
