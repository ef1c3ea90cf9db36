/**
 * Exponential backoff with full jitter.
 *
 * @module
 */

/** How waits grow. */
export interface BackoffPolicy {
  /** The longest first wait, in milliseconds. */
  readonly initialMs: number;
  /** The longest wait of all, in milliseconds. */
  readonly maxMs: number;
}

/**
 * How long to wait before attempt `attempt` (1 is the first repetition): a random time up to
 * `initialMs * 2 ** (attempt - 1)`, capped. Full jitter keeps many relays from coming back at once; a tenth of the
 * bound is the least, so that chance never makes a tight loop.
 *
 * @param random a number in [0, 1)
 */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: number): number {
  const bound = Math.min(policy.maxMs, policy.initialMs * 2 ** Math.min(attempt - 1, 40));
  return Math.max(bound / 10, bound * random);
}
