/**
 * Pauses that can be ended all at once.
 *
 * @module
 */

/** Pauses of something that may be ended at any time. */
export class Pauses {
  readonly #ended = new AbortController();

  /** Resolves after so many milliseconds, or at the end. */
  pause(ms: number): Promise<void> {
    const { signal } = this.#ended;
    if (ms <= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end);
    });
  }

  /** End all pauses, and those to come. */
  end(): void {
    this.#ended.abort();
  }
}
