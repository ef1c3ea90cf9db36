/**
 * By what right a session writes.
 *
 * @module
 */

import { FencedError } from "../base/errors.ts";
import { SourceError } from "../read/mod.ts";

/**
 * A lease, in the life of the server in which the session began. Every write asks for both in its own statement, with the lease's
 * row locked: see `save_position.sql` and `tide.life`.
 */
export interface Claim {
  readonly pipeline: string;
  /** The relay's name. An epoch alone could come twice, after a failover that lost the end of the log. */
  readonly holder: string;
  readonly epoch: number;
  readonly life: string;
}

/** What a statement says that writes under a claim: no row when the lease is lost. */
export interface ClaimVerdict {
  /** Whether the server is the one with which the session began. */
  readonly sameLife: boolean;
}

/**
 * Check that a write took place.
 *
 * @throws {FencedError} when the lease is lost
 * @throws {SourceError} when the server has lost its memory since the session began, or is another one
 */
export function checkClaim({ pipeline }: Claim, verdicts: readonly ClaimVerdict[], what: string): void {
  const [verdict] = verdicts;
  if (verdict === undefined) throw new FencedError(`The lease of ${pipeline} is lost: ${what} not saved`);
  if (!verdict.sameLife) throw new SourceError(ANOTHER_LIFE);
}

/** Why what a session has in memory is void. */
export const ANOTHER_LIFE = "PostgreSQL has recovered from a crash, or is another server now";
