/**
 * What a failed query means to a session.
 *
 * @module
 */

import { EXIT, FencedError, messageOf, UserError } from "../base/errors.ts";
import { InvariantError } from "../base/invariant.ts";
import { SourceError } from "../read/mod.ts";
import { errorCode } from "./connect_error.ts";

/** Refusals that only a person can end. */
const RIGHTS: ReadonlySet<string> = new Set(["42501", "28000", "28P01"]);

/** The error that a session ends with: an outage to wait out, unless a person must act. */
export function queryError(error: unknown): Error {
  if (isFinal(error)) return error;
  if (RIGHTS.has(errorCode(error))) {
    return new UserError(`Cannot use the database: ${messageOf(error)}`, {
      code: "POSTGRES_NO_RIGHTS",
      advice:
        "Have an administrator run SELECT tide.grant_relay('role') for the relay's role, and check its password.",
      exitCode: EXIT.usage,
      cause: error,
    });
  }
  const answered = /^[0-9A-Z]{5}$/.test(errorCode(error)) ? "answered with an error" : "did not answer";
  return new SourceError(`PostgreSQL ${answered}: ${messageOf(error)}`, { cause: error });
}

function isFinal(error: unknown): error is Error {
  return error instanceof UserError || error instanceof FencedError || error instanceof InvariantError ||
    error instanceof SourceError;
}
