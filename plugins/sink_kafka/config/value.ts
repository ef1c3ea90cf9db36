/**
 * The values of fields as the types that the manifest gives them.
 *
 * The kernel has checked them, so an error here is an error of the caller.
 *
 * @module
 */

import type { Json, PluginConfig } from "@pg-tide/sdk";

/** The text of a field. @throws {TypeError} when it is none */
export function textOf(fields: PluginConfig["fields"], name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw wrongType(name, value, "a string");
  return value;
}

/** The number of a field. @throws {TypeError} when it is none */
export function numberOf(fields: PluginConfig["fields"], name: string): number {
  const value = fields[name];
  if (typeof value !== "number") throw wrongType(name, value, "a number");
  return value;
}

/** The text of a field that has only so many. @throws {TypeError} when it is another one */
export function oneOf<T extends string>(
  fields: PluginConfig["fields"],
  name: string,
  values: readonly T[],
): T {
  const value = textOf(fields, name);
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) {
    throw new TypeError(`Cannot read ${name}: "${value}", expected ${values.join(", ")}`);
  }
  return found;
}

/** The value itself is not shown: it may be a secret. */
function wrongType(name: string, value: Json | undefined, expected: string): TypeError {
  return new TypeError(
    `Cannot read ${name}: ${value === null ? "null" : typeof value}, expected ${expected}`,
  );
}
