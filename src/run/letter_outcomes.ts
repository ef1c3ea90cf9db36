/**
 * Writes what became of dead letters that were sent again.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import type { RetryRequest, RetryStore, SettledLetter } from "../record/letter.ts";

/**
 * Outcomes of the letters of one request, written one batch after the other: what comes while a batch is being written goes into
 * the next. A letter is gone from the database only here, behind the sink's acknowledgment; what is not written when the process
 * dies is sent twice.
 */
export class LetterOutcomes {
  readonly #store: RetryStore;
  readonly #request: RetryRequest;
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
  readonly #closed = new AbortController();
  #noted: SettledLetter[] = [];
  /** Letters on their way, or without a written outcome. */
  #open = 0;
  #released = false;
  #writing: Promise<void> | null = null;
  #waiting: (() => void)[] = [];

  /** @param onFailure called once when the database refuses; nothing is written afterwards */
  constructor(store: RetryStore, request: RetryRequest, clock: Clock, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#request = request;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** So many letters are on their way from now on. */
  expect(count: number): void {
    this.#open += count;
  }

  /** A letter has its outcome. */
  note(settled: SettledLetter): void {
    this.#noted.push(settled);
    this.#writing ??= this.#write().catch((error) => {
      this.close();
      this.#onFailure(error);
    }).finally(() => this.#writing = null);
  }

  /** Resolves when no more than `most` letters are open, or nobody shall wait for that any more. */
  async settled(most: number): Promise<void> {
    while (this.#open > most && !this.#released) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves when every outcome noted so far is written, or nothing is written any more. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** Nobody shall wait for outcomes any more; those that come are still written. */
  release(): void {
    this.#released = true;
    this.#changed();
  }

  /** Write nothing any more. */
  close(): void {
    this.#closed.abort();
    this.release();
  }

  async #write(): Promise<void> {
    // A page's outcomes come one by one in the same turn: they are one batch.
    await Promise.resolve();
    while (this.#noted.length > 0 && !this.#closed.signal.aborted) {
      const batch = this.#noted;
      this.#noted = [];
      await this.#store.settle(this.#request, batch);
      this.#open -= batch.length;
      this.#changed();
      // As between two saves of a position; skipped when nothing waits, so that a drain is not held up.
      if (this.#noted.length > 0) await this.#clock.sleep(LIMITS.commitPauseMs, this.#closed.signal);
    }
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
