/**
 * Rules between a field that chooses and the fields that only one choice uses. Pure.
 *
 * @module
 */

import type { FieldRule } from "@pg-tide/sdk";

/** A field that chooses, and some of its values. */
export interface Choice {
  readonly field: string;
  readonly values: readonly string[];
}

/** These fields mean nothing unless the choice is made. */
export function belong(fields: readonly string[], { field: chooser, values }: Choice): FieldRule[] {
  return fields.map((field) => ({
    when: { field },
    then: { field: chooser, is: values },
    message: `${field} is only used with ${chooser} ${listed(values)}: set ${chooser} so, or remove ${field}`,
  }));
}

/** With the choice these fields must be set. @param fields each with what it is, for the error */
export function need(
  { field: chooser, values }: Choice,
  fields: Readonly<Record<string, string>>,
): FieldRule[] {
  return values.flatMap((value) =>
    Object.entries(fields).map(([field, what]) => ({
      when: { field: chooser, is: [value] },
      then: { field },
      message: `${chooser} is "${value}", which needs ${field}: set it to ${what}`,
    }))
  );
}

/** `"a", "b" or "c"`. */
function listed(values: readonly string[]): string {
  const texts = values.map((value) => `"${value}"`);
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} or ${texts.at(-1)}`;
}
