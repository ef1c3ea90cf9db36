/**
 * JSON whose numbers survive.
 *
 * A double holds about 16 digits, JSON any number of them, and PostgreSQL keeps them all: `12345678901234567890` and
 * `10.00` must leave a projection as they came. So a number whose text is not the text of its double is kept together with
 * its source; every other value is what `JSON.parse` gives.
 *
 * @module
 */

/** What {@link parseExact} gives. */
export type ExactJson =
  | null
  | boolean
  | number
  | string
  | ExactNumber
  | ExactJson[]
  | { [name: string]: ExactJson };

/** JSON.parse source text access, which V8 has and TypeScript's library does not describe yet. */
interface SourceTextJson {
  rawJSON(text: string): unknown;
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): ExactJson;
}

const SOURCE_TEXT_JSON = JSON as unknown as SourceTextJson;

/** A number that is written differently than its double would be. */
export class ExactNumber {
  /** The nearest double: what comparisons and arithmetic use. */
  readonly value: number;

  /** @param source the number as it stands in the JSON text */
  constructor(readonly source: string) {
    this.value = Number(source);
  }

  /** `JSON.stringify` writes the source. */
  toJSON(): unknown {
    return SOURCE_TEXT_JSON.rawJSON(this.source);
  }
}

// Texts that may hold a number which its double would write differently: 16 digits or more, a fraction that ends in 0, an
// exponent, a negative zero. A match inside a string costs only the slower way of parsing.
const MAYBE_INEXACT_REGEXP = /[\d.]{16}|\.\d*0(?!\d)|\d[eE][-+\d]|-0/;

/**
 * Parse JSON text.
 *
 * @throws {SyntaxError} when it is not JSON
 * @throws {RangeError} when it nests deeper than the stack is
 */
export function parseExact(text: string): ExactJson {
  if (!MAYBE_INEXACT_REGEXP.test(text)) return JSON.parse(text) as ExactJson;
  return SOURCE_TEXT_JSON.parse(text, keepSource);
}

function keepSource(_name: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== "number") return value;
  const { source } = context;
  return source === undefined || String(value) === source ? value : new ExactNumber(source);
}
