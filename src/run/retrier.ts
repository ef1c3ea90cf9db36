/**
 * Sends dead letters again that somebody has asked for.
 *
 * States: *resting* (nothing was asked for, or nobody told); *sending* (the letters of a request are read page by page,
 * behind the last one read, and led through the same stages as what is published, with which they take turns);
 * *settling* (the request is read to its end, outcomes are awaited), then finished and on to the next request. *stopped*
 * from any state: what has no outcome stays in the database, and the next session sends it again.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import type { Consignment } from "../deliver/shipment.ts";
import {
  type LetterLimit,
  type LetterPage,
  LetterProgress,
  type RetryRequest,
  type RetryStore,
} from "../record/letter.ts";
import { LetterOutcomes } from "./letter_outcomes.ts";

/** What a retrier needs. */
export interface RetrierOptions {
  readonly store: RetryStore;
  readonly clock: Clock;
  /** Leads messages through the stages; resolves when there is room for more. */
  readonly take: (messages: Consignment) => Promise<void>;
  /** Called once when the database does not answer, or only a bug explains what failed. */
  readonly onFailure: (error: unknown) => void;
}

/** Sends the dead letters of one pipeline again, one request after the other, in the order in which they were filed. */
export class Retrier {
  readonly #options: RetrierOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #told = false;
  #outcomes: LetterOutcomes | null = null;

  constructor(options: RetrierOptions) {
    this.#options = options;
  }

  /** Something may have been asked for. */
  wake(): void {
    this.#told = true;
    if (this.#stop.signal.aborted) return;
    this.#running ??= this.#run().catch((error) => this.#fail(error)).finally(() => {
      this.#running = null;
      if (this.#told) this.wake();
    });
  }

  /** Read no more letters. Resolves when those read last are on their way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#outcomes?.release();
    await this.#running;
  }

  /** Resolves when every outcome that came so far is written; after {@link Retrier.stop}. */
  async flush(): Promise<void> {
    await this.#outcomes?.flush();
  }

  /** Stop, and write nothing any more. */
  close(): void {
    this.#stop.abort();
    this.#outcomes?.close();
  }

  async #run(): Promise<void> {
    while (this.#told && !this.#stop.signal.aborted) {
      this.#told = false;
      for (;;) {
        const request = await this.#options.store.next();
        if (request === null) break;
        await this.#send(request);
        if (this.#stop.signal.aborted) return;
        await this.#options.store.finish(request);
      }
    }
  }

  /** Send all letters of a request; resolves when each has its outcome, or after {@link Retrier.stop}. */
  async #send(request: RetryRequest): Promise<void> {
    const { store, clock } = this.#options;
    const outcomes = new LetterOutcomes(store, request, clock, (error) => this.#fail(error));
    this.#outcomes = outcomes;
    if (this.#stop.signal.aborted) return;
    const limit = limitAt(request.rate);
    let dueMs = clock.monotonic();
    for (let after = 0; !this.#stop.signal.aborted;) {
      await outcomes.settled((LIMITS.retryPages - 1) * LIMITS.retryRows);
      if (request.rate !== null) await clock.sleep(Math.max(0, dueMs - clock.monotonic()), this.#stop.signal);
      const letters = this.#stop.signal.aborted ? null : await store.read(request, after, limit);
      if (letters === null || this.#stop.signal.aborted) break;
      after = letters.letters.at(-1)!.id;
      if (request.rate !== null) {
        dueMs = Math.max(dueMs, clock.monotonic()) + 1_000 * letters.page.count / request.rate;
      }
      outcomes.expect(letters.page.count);
      await this.#options.take(consignmentOf(letters, outcomes));
    }
    await outcomes.settled(0);
  }

  #fail(error: unknown): void {
    this.#stop.abort();
    this.#outcomes?.release();
    this.#options.onFailure(error);
  }
}

/** A tenth of a second's letters at a time, so that a rate is even. */
function limitAt(rate: number | null): LetterLimit {
  const rows = rate === null
    ? LIMITS.retryRows
    : Math.min(LIMITS.retryRows, Math.max(1, Math.floor(rate / 10)));
  return { rows, bytes: LIMITS.retryBytes };
}

/**
 * Letters as messages to deliver. One that fails goes back at once rather than after all attempts of the pipeline: it has had
 * those, and everybody else would wait for it.
 */
function consignmentOf(letters: LetterPage, outcomes: LetterOutcomes): Consignment {
  const progress = new LetterProgress(letters, (settled) => outcomes.note(settled));
  return {
    page: letters.page,
    progress,
    attemptsMax: 1,
    refuse: (casualties) => {
      for (const { row, ...why } of casualties) progress.refuse(row, why);
      return Promise.resolve();
    },
  };
}
