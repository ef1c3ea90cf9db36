/**
 * Reading a configuration against its field declarations, with all problems at once.
 *
 * @module
 */

import type { FieldRule, FieldSpec, Json } from "@pg-tide/sdk";
import type { Problem } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";
import { holdsReference, referenceProblems } from "./reference.ts";
import { checkRules } from "./rules.ts";
import { checkValue } from "./value.ts";

/** Values by field name. */
export type Values = Readonly<Record<string, Json>>;

/** What may be in a configuration. */
export interface Declarations {
  readonly specs: readonly FieldSpec[];
  readonly rules: readonly FieldRule[];
}

/** A configuration that was read. */
export interface Parsed {
  /** Every declared field by its dotted name, with its default where it was not given, and `null` where it has none. */
  readonly values: Values;
  readonly problems: readonly Problem[];
}

/**
 * Read a configuration.
 *
 * Types are exact: `"100"` is not an integer. `null` means the same as leaving the field out. A text with a reference
 * such as `${env:NAME}` is not yet checked against the field's values and pattern: `checkResolved` does that later.
 *
 * @param raw an object; a dot in a field's name is a level of nesting in it
 */
export function parseFields(specs: readonly FieldSpec[], rules: readonly FieldRule[], raw: Json): Parsed {
  if (!isJsonObject(raw)) {
    return {
      values: {},
      problems: [{ field: "", message: "Cannot read the configuration: expected an object" }],
    };
  }
  const reader = new Reader(specs);
  reader.readObject(raw, "");
  const values = reader.finish();
  const involved = new Set(reader.problems.map(({ field }) => field));
  return { values, problems: [...reader.problems, ...checkRules(rules, values, involved)] };
}

/** Whether a value is an object. */
export function isJsonObject(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #specs: ReadonlyMap<string, FieldSpec>;
  /** Names of objects that hold fields: `retry` for `retry.max_attempts`. */
  readonly #groups: ReadonlySet<string>;
  readonly #found = new Map<string, Json>();

  constructor(specs: readonly FieldSpec[]) {
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
    this.#groups = new Set(specs.flatMap(({ name }) => groupsOf(name)));
  }

  readObject(object: { readonly [name: string]: Json }, prefix: string): void {
    for (const [key, value] of Object.entries(object)) {
      // A dot in a key is not a level: "retry.max_attempts" must not come twice, in two notations.
      const name = `${prefix}${key}`;
      if (key.includes(".") || !(this.#specs.has(name) || this.#groups.has(name))) {
        this.#unknown(name, key, prefix);
      } else if (this.#specs.has(name)) this.#found.set(name, value);
      else if (isJsonObject(value)) this.readObject(value, `${name}.`);
      else if (value !== null) this.#notAGroup(name);
    }
  }

  finish(): Values {
    const values: Record<string, Json> = Object.create(null);
    for (const spec of this.#specs.values()) values[spec.name] = this.#read(spec);
    return values;
  }

  #read(spec: FieldSpec): Json {
    const value = this.#found.get(spec.name) ?? null;
    if (value === null) {
      if (spec.required === true) this.#add(spec.name, `Cannot leave out ${spec.name}: ${spec.doc}`);
      return spec.default ?? null;
    }
    const misplaced = referenceProblems(spec, value, this.#specs.values());
    if (misplaced.length > 0) {
      this.problems.push(...misplaced);
      return spec.default ?? null;
    }
    const found = checkValue(spec, value, { skipText: spec.interpolates === true && holdsReference(value) });
    this.problems.push(...found);
    return found.length === 0 ? value : spec.default ?? null;
  }

  #unknown(name: string, key: string, prefix: string): void {
    if (this.#specs.has(name)) {
      const nested = nestedNotation(name);
      this.#add(name, `Cannot read "${shorten(name)}": a dot stands for nesting, expected ${nested}`);
      return;
    }
    const siblings = [...this.#specs.keys(), ...this.#groups].filter((known) => known.startsWith(prefix));
    const nearest = nearestName(name, siblings) ?? nearestName(key, [...this.#specs.keys()]);
    const hint = nearest === null ? `expected one of ${siblings.join(", ")}` : `did you mean ${nearest}?`;
    this.#add(name, `Cannot use ${shorten(name)}: there is no such field, ${hint}`);
  }

  #notAGroup(name: string): void {
    const members = [...this.#specs.keys()].filter((known) => known.startsWith(`${name}.`));
    this.#add(name, `Cannot read ${name}: expected an object with ${members.join(", ")}`);
  }

  #add(field: string, message: string): void {
    this.problems.push({ field, message });
  }
}

/** `a.b.c` lies in `a` and `a.b`. */
function groupsOf(name: string): string[] {
  const steps = name.split(".");
  return steps.slice(1).map((_, i) => steps.slice(0, i + 1).join("."));
}

function nestedNotation(name: string): string {
  return name.split(".").reduceRight((inner, step) => `{"${step}": ${inner}}`, "…");
}

/** A key that a user wrote, cut to a length that an error can show. */
function shorten(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name;
}
