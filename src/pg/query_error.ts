/**
 * What a failed query means to a session.
 *
 * @module
 */

import { EXIT, FencedError, messageOf, UserError } from "../base/errors.ts";
import { InvariantError } from "../base/invariant.ts";
import { SourceError } from "../read/mod.ts";
import { connectFailure, errorCode, isServerCode } from "./connect_error.ts";

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
  return new SourceError(outageOf(error), { cause: error });
}

/** Codes of the driver and the system for a connection that was there. */
const LOST: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "ECONNRESET",
  "EPIPE",
]);

/** An outage in a sentence, for the log and `status`. */
function outageOf(error: unknown): string {
  const code = errorCode(error);
  if (isServerCode(code)) return `PostgreSQL answered with an error: ${messageOf(error)}`;
  return `PostgreSQL did not answer: ${LOST.has(code) ? "the connection was lost" : connectFailure(error)}`;
}

function isFinal(error: unknown): error is Error {
  return error instanceof UserError || error instanceof FencedError || error instanceof InvariantError ||
    error instanceof SourceError;
}
