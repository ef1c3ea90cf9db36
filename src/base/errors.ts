/**
 * Errors that a user causes or must act on.
 *
 * @module
 */

/** The exit codes of `pg-tide`, a promise to scripts. */
export const EXIT = {
  good: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
} as const;

/** One thing wrong with an input: which field, and what is accepted. */
export interface Problem {
  /** The field's path, such as `batch_size` or `retry.max_attempts`; empty for the whole. */
  readonly field: string;
  readonly message: string;
}

/** What a {@link UserError} carries besides its message. */
export interface UserErrorOptions extends ErrorOptions {
  /** A stable code in capitals: `POSTGRES_UNREACHABLE`. */
  readonly code: string;
  /** What the user should do, as a full sentence. */
  readonly advice: string;
  /** How the process ends when nobody handles it. */
  readonly exitCode: (typeof EXIT)[keyof typeof EXIT];
  /** All problems of a bad input, at once. */
  readonly problems?: readonly Problem[];
}

/** An error whose reader is a user: it says what happened, and what to do. Never carries a secret. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: string;
  readonly advice: string;
  readonly exitCode: number;
  readonly problems: readonly Problem[];

  constructor(message: string, options: UserErrorOptions) {
    super(message, options);
    this.code = options.code;
    this.advice = options.advice;
    this.exitCode = options.exitCode;
    this.problems = options.problems ?? [];
  }
}

/** The text of whatever was thrown, without a stack. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}

/** Another relay has taken the pipeline's lease: this one must stop at once and may write nothing. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}
