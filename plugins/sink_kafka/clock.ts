/**
 * Time and chance. Passed in, so that a test may put others in their place.
 *
 * @module
 */

/** Time and chance. */
export interface Clock {
  /** Milliseconds of a clock that only moves forward. */
  monotonicMs(): number;
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** A number in `[0, 1)`. */
  random(): number;
  /**
   * Call `call` once, after so many milliseconds.
   *
   * @returns what calls that off
   */
  after(ms: number, call: () => void): () => void;
}

/** The machine's clock. */
export const SYSTEM_CLOCK: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  random: () => Math.random(),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * The pause before repetition `round`, where 0 is the first: doubled each time up to `maxMs`, and a fifth more or less, so that
 * not all come back at once.
 */
export function pauseMs(firstMs: number, maxMs: number, round: number, clock: Clock): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(round, 30)) * (0.8 + 0.4 * clock.random());
}
