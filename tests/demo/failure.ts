/**
 * Why the demo cannot go on, for the person who started it.
 *
 * @module
 */

import postgres from "postgres";
import { UserError } from "../../src/base/errors.ts";

/** An error that says what to do, and how the process ends. */
export class DemoError extends Error {
  override readonly name = "DemoError";
  readonly exitCode: number;

  constructor(message: string, advice: string, exitCode: number, options?: ErrorOptions) {
    super(advice === "" ? message : `${message}\n${advice}`, options);
    this.exitCode = exitCode;
  }
}

/** How the process ends after an error. */
export function exitCodeOf(error: unknown): number {
  return error instanceof DemoError || error instanceof UserError ? error.exitCode : 1;
}

/** The error and its causes, one below the other. */
export function explain(error: unknown): string {
  if (error instanceof SuppressedError) return `${explain(error.suppressed)}\n${explain(error.error)}`;
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? [] : [explain(error.cause)];
  return [error.message, ...adviceOf(error), ...cause].join("\n");
}

/** What to do, in the words of whoever threw it. */
function adviceOf(error: Error): string[] {
  if (error instanceof UserError) return [error.advice];
  if (!(error instanceof postgres.PostgresError)) return [];
  return [error.detail, error.hint].filter((text) => text !== undefined);
}
