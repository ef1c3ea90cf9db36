/**
 * Configuration fields, declared once as data.
 *
 * From one declaration come the parser with all its errors at once, the check inside PostgreSQL
 * (`tide.relay_set_outbox`), the JSON Schema, `--help` and the tables of the README.
 *
 * @module
 */

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The types a field can have. `string_map` is an object whose values are strings. */
export type FieldType = "string" | "boolean" | "integer" | "number" | "string_map" | "object" | "list";

/** One configuration field: plain data, so that it crosses a Worker's border and is stored in `tide.plugin`. */
export interface FieldSpec {
  /** The key as the user writes it; a dot separates nested objects (`retry.max_attempts`). */
  readonly name: string;
  /** What a value must be; exact, `"100"` is not an integer. */
  readonly type: FieldType;
  /** One or two sentences: meaning and unit. */
  readonly doc: string;
  /** Whether the field must be given. A required field has no default. */
  readonly required?: boolean;
  /** The value when the field is absent or `null`; absent means `null`. */
  readonly default?: Json;
  /** The only accepted values. */
  readonly values?: readonly (string | number)[];
  /** Smallest accepted number, or fewest characters or entries. */
  readonly min?: number;
  /** Largest accepted number, or most characters or entries. */
  readonly max?: number;
  /** A regular expression that the whole text must match, in the subset that JavaScript and PostgreSQL share. */
  readonly pattern?: string;
  /** What the pattern means, for the error message: "a comma-separated list of host:port". */
  readonly patternDoc?: string;
  /** The value is a secret: it never appears in a log, an error, a status or a description. */
  readonly secret?: boolean;
  /** `${env:NAME}` and `${file:/path}` are resolved in this field (strings and string maps only). */
  readonly interpolates?: boolean;
  /** The value is a path; the kernel reads the file and hands the plugin its text (a PEM text is taken as it is). */
  readonly file?: boolean;
  /** The value is a template over a message's variables (`{op}`, `{payload.path}`, …). */
  readonly template?: boolean;
  /** Example values for the documentation. */
  readonly examples?: readonly Json[];
}

/** A rule between fields: when `when` holds, `then` must hold too. A condition without `is` asks that the field is set. */
export interface FieldRule {
  /** Where the rule applies. */
  readonly when: FieldCondition;
  /** What it asks for there. */
  readonly then: FieldCondition;
  /** The whole error message: what contradicts what, and what to do. */
  readonly message: string;
}

/** A condition on one field. */
export interface FieldCondition {
  /** The field's name. */
  readonly field: string;
  /** The value (after defaults) is one of these. */
  readonly is?: readonly Json[];
}
