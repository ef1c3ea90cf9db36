/**
 * The only place that reads the clock, sleeps or draws random numbers. Passed in everywhere, so that a test may put
 * a virtual clock and a seeded generator in its place.
 *
 * @module
 */

/** Time and chance. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
  /** A number in [0, 1). */
  random(): number;
  /**
   * Wait; returns early, without an error, when `signal` aborts.
   *
   * @param ms milliseconds; at most 2^31 - 1
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  sleep(ms, signal) {
    if (signal?.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    return promise;
  },
};
