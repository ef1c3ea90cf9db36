/**
 * Waiting for something, but not for ever.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

/**
 * What `work` gives, or `undefined` when that takes longer than `ms` milliseconds. The work goes on then, and nobody hears
 * of its failure.
 */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  const settled = new AbortController();
  const timeout = clock.sleep(ms, settled.signal).then(() => undefined);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    // Any reason: without one an exception is built each time, which cost an eighth of the main thread in steady load.
    settled.abort(null);
  }
}
