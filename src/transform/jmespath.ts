/**
 * The transform of a pipeline: `transform.filter` and `transform.payload` over each message of a page.
 *
 * @module
 */

import { type Column, ColumnBuilder, OPS, textAt } from "@pg-tide/sdk";
import { messageOf, type Problem } from "../base/errors.ts";
import { type ExactJson, parseExact } from "../base/exact_json.ts";
import type { Page } from "../record/page.ts";
import type { RowRejection } from "../record/rejection.ts";
import { selectRows } from "../record/select.ts";
import { compileExpression, type Expression, Run } from "./expression.ts";
import type { Transform, Transformed } from "./mod.ts";
import { EvaluationError, isTrue } from "./value.ts";
import { stringifyWithin } from "./stringify.ts";

/** The most characters of a projected payload; publish refuses larger messages too. */
export const PROJECTED_LENGTH_MAX = 16 * 1024 * 1024;

/** What to compile. */
export interface TransformOptions {
  /** JMESPath over the payload: a message for which it is false is filtered. `null`: every message goes on. */
  readonly filter: string | null;
  /** JMESPath over the payload: its result is the new payload. `null`: the payload stays as it is. */
  readonly payload: string | null;
  /** The outbox's bare name, for `message().outbox`. */
  readonly outbox: string;
}

/** A transform, or why there is none. */
export type CompiledTransform =
  | { readonly transform: Transform; readonly problems: readonly [] }
  | { readonly transform: null; readonly problems: readonly Problem[] };

/**
 * Compile a pipeline's transform.
 *
 * The root of both expressions is the payload. What else is known about a message is in `message()`, an object with
 * `op`, `id`, `outbox`, `dedup_key` (or null) and `headers` (an object of strings): `message().op == 'insert'`. Truth is
 * the specification's, so 0 is true. Numbers are compared as doubles and leave a projection as they came, digit for digit. The payloads of a page
 * that passes unprojected share its bytes.
 */
export function compileTransform(options: TransformOptions): CompiledTransform {
  const problems: Problem[] = [];
  const filter = compileField("transform.filter", options.filter, problems);
  const payload = compileField("transform.payload", options.payload, problems);
  if (problems.length > 0) return { transform: null, problems };
  const transform = filter === null && payload === null
    ? passUntouched
    : (page: Page) => new PageTransform(page, { filter, payload, outbox: options.outbox }).run();
  return { transform, problems: [] };
}

function compileField(field: string, text: string | null, problems: Problem[]): Expression | null {
  if (text === null) return null;
  try {
    return compileExpression(text);
  } catch (error) {
    problems.push({
      field,
      message: `Cannot use ${field}: ${messageOf(error)}, expected a JMESPath expression`,
    });
    return null;
  }
}

function passUntouched(page: Page): Transformed {
  return { page, origin: null, rejected: [] };
}

interface Expressions {
  readonly filter: Expression | null;
  readonly payload: Expression | null;
  readonly outbox: string;
}

/** One page on its way through. */
class PageTransform {
  readonly #page: Page;
  readonly #expressions: Expressions;
  readonly #rows: Uint32Array;
  readonly #rejected: RowRejection[] = [];
  readonly #projected: ColumnBuilder | null;
  #kept = 0;

  constructor(page: Page, expressions: Expressions) {
    this.#page = page;
    this.#expressions = expressions;
    this.#rows = new Uint32Array(page.count);
    this.#projected = expressions.payload === null
      ? null
      : new ColumnBuilder(page.count, page.payload.bytes.length);
  }

  run(): Transformed {
    for (let row = 0; row < this.#page.count; row++) {
      try {
        this.#transform(row);
      } catch (error) {
        this.#rejected.push({ row, ...refusal(error) });
      }
    }
    return this.#finish();
  }

  #transform(row: number): void {
    const { filter, payload } = this.#expressions;
    const value = parseExact(textAt(this.#page.payload, row) ?? "null");
    const run = new Run(() => this.#describe(row));
    if (filter !== null && !isTrue(named("transform.filter", () => filter(value, run)))) return;
    if (payload !== null) {
      const text = named(
        "transform.payload",
        () => stringifyWithin(payload(value, run), PROJECTED_LENGTH_MAX),
      );
      this.#projected!.appendText(text);
    }
    this.#rows[this.#kept++] = row;
  }

  #describe(row: number): ExactJson {
    const headers = textAt(this.#page.headers, row);
    return {
      op: OPS[this.#page.ops[row]!]!,
      id: this.#page.ids[row]!,
      outbox: this.#expressions.outbox,
      dedup_key: textAt(this.#page.dedupKey, row),
      headers: headers === null ? {} : parseExact(headers),
    };
  }

  #finish(): Transformed {
    if (this.#kept === 0) return { page: null, origin: null, rejected: this.#rejected };
    const whole = this.#kept === this.#page.count;
    const rows = this.#rows.subarray(0, this.#kept);
    const page = whole ? this.#page : selectRows(this.#page, rows);
    const payload: Column = this.#projected === null ? page.payload : this.#projected.finish();
    return { page: { ...page, payload }, origin: whole ? null : rows, rejected: this.#rejected };
  }
}

/** Say in errors which of the two expressions it was. */
function named<T>(field: string, evaluate: () => T): T {
  try {
    return evaluate();
  } catch (error) {
    const { code, reason } = refusal(error);
    throw new EvaluationError(code, `Cannot evaluate ${field}: ${reason}`);
  }
}

interface Refusal {
  readonly code: EvaluationError["code"];
  readonly reason: string;
}

/** Every error of an evaluation is the message's: an expression has no other way to fail. */
function refusal(error: unknown): Refusal {
  if (error instanceof EvaluationError) return { code: error.code, reason: error.message };
  if (error instanceof RangeError) {
    return { code: "TRANSFORM_TOO_LARGE", reason: "the message nests too deeply" };
  }
  return { code: "TRANSFORM_FAILED", reason: `Cannot read the payload as JSON: ${messageOf(error)}` };
}
