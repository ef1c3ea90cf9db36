/**
 * Dead letters in memory, with what somebody asked to be sent again.
 *
 * @module
 */

import type { DeadLetter, DeadLetterStore } from "../../src/record/dead_letter.ts";
import type {
  LetterLimit,
  LetterPage,
  RetryRequest,
  RetryStore,
  SettledLetter,
} from "../../src/record/letter.ts";
import { pageOf } from "./pages.ts";

/** A dead letter as it is kept. */
export interface KeptLetter {
  readonly id: number;
  readonly letter: DeadLetter;
  readonly edits: number;
  readonly retries: number;
  /** By the count of reads. */
  readonly retriedAt: number;
}

interface OpenRequest extends RetryRequest {
  readonly topId: number;
  readonly askedAt: number;
}

/** A store without anything to send again. */
export const NO_RETRIES: RetryStore = {
  next: () => Promise.resolve(null),
  read: () => Promise.resolve(null),
  settle: () => Promise.resolve(),
  finish: () => Promise.resolve(),
};

/**
 * Keeps letters once for each message, as the database does. Both stores share it; a fence and a delay are put around them by
 * {@link FakeLetters.stores}.
 */
export class FakeLetters {
  readonly letters = new Map<number, KeptLetter>();
  /** Every outcome that was written, in order. */
  readonly settled: { readonly messageId: number; readonly outcome: string }[] = [];
  /** Requests that are finished. */
  readonly finished: number[] = [];
  readonly #ids = new Map<number, number>();
  #requests: OpenRequest[] = [];
  #nextId = 1;
  #nextRequest = 1;
  /** Time, as reads and requests see it. */
  #now = 0;

  /** The letter of a message. */
  ofMessage(messageId: number): KeptLetter | undefined {
    return this.letters.get(this.#ids.get(messageId) ?? 0);
  }

  /** Ask for all letters that are there to be sent again; returns how many those are. */
  request(rate: number | null = null): number {
    const topId = this.#nextId - 1;
    this.#requests.push({ id: this.#nextRequest++, rate, topId, askedAt: ++this.#now });
    return this.letters.size;
  }

  /** Whether something that was asked for is not finished. */
  get waiting(): boolean {
    return this.#requests.length > 0;
  }

  /** The stores of a session; `enter` is awaited before everything that is written. */
  stores(enter: () => Promise<void>): { deadLetters: DeadLetterStore; retries: RetryStore } {
    return {
      deadLetters: {
        keep: async (letters) => {
          await enter();
          for (const letter of letters) this.#keep(letter);
        },
        count: () => Promise.resolve(this.letters.size),
      },
      retries: {
        next: () => Promise.resolve(this.#requests[0] ?? null),
        read: (request, afterId, limit) => Promise.resolve(this.#read(request, afterId, limit)),
        settle: async (_request, settled) => {
          await enter();
          for (const one of settled) this.#settle(one);
        },
        finish: async ({ id }) => {
          await enter();
          this.#requests = this.#requests.filter((request) => request.id !== id);
          this.finished.push(id);
        },
      },
    };
  }

  #keep(letter: DeadLetter): void {
    if (this.ofMessage(letter.messageId) !== undefined) return;
    const id = this.#nextId++;
    this.#ids.set(letter.messageId, id);
    this.letters.set(id, { id, letter, edits: 0, retries: 0, retriedAt: 0 });
  }

  #read({ id: requestId }: RetryRequest, afterId: number, { rows }: LetterLimit): LetterPage | null {
    const request = this.#requests.find(({ id }) => id === requestId);
    const found: KeptLetter[] = [];
    for (let id = afterId + 1; request !== undefined && id <= request.topId && found.length < rows; id++) {
      const kept = this.letters.get(id);
      if (kept !== undefined && kept.retriedAt < request.askedAt) found.push(kept);
    }
    if (found.length === 0) return null;
    return {
      page: {
        ...pageOf(found.map(({ letter }) => letter.messageId)),
        resent: {
          incarnations: found.map(() => "abcd1234"),
          retries: Uint32Array.from(found, ({ retries }) => retries + 1),
        },
      },
      letters: found.map(({ id, edits }) => ({ id, edits })),
      readAt: String(++this.#now),
    };
  }

  #settle({ letter: { id, edits }, readAt, outcome }: SettledLetter): void {
    const kept = this.letters.get(id);
    if (kept === undefined || kept.edits !== edits) return;
    this.settled.push({
      messageId: kept.letter.messageId,
      outcome: typeof outcome === "string" ? outcome : outcome.code,
    });
    if (typeof outcome === "string") this.letters.delete(id);
    else {
      const letter = { ...kept.letter, ...outcome, attempts: kept.letter.attempts + 1 };
      this.letters.set(id, { ...kept, letter, retries: kept.retries + 1, retriedAt: Number(readAt) });
    }
  }
}
