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

/** The text of a field that need not be set. @throws {TypeError} when it is something else */
export function optionalTextOf(fields: PluginConfig["fields"], name: string): string | undefined {
  return (fields[name] ?? null) === null ? undefined : textOf(fields, name);
}

/** The texts of a field that is a map, in order of their names; none when it is not set. @throws {TypeError} when it is no map */
export function textMapOf(fields: PluginConfig["fields"], name: string): Readonly<Record<string, string>> {
  const value = fields[name] ?? {};
  if (typeof value !== "object" || Array.isArray(value)) throw wrongType(name, value, "a map");
  // In order, so that two configurations that say the same are the same text.
  const names = Object.keys(value).toSorted();
  return Object.fromEntries(names.map((key) => [key, textOf(value as PluginConfig["fields"], key)]));
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
