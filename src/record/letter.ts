/**
 * Dead letters on their way back through their pipeline.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import type { Failure, Stage } from "./dead_letter.ts";
import type { Page } from "./page.ts";
import type { MessageProgress } from "./progress.ts";

/** What somebody has asked to be sent again. */
export interface RetryRequest {
  readonly id: number;
  /** Most letters a second, or null for as many as the sink takes. */
  readonly rate: number | null;
}

/** A dead letter as it was read. Somebody may edit it while it is on its way: the outcome then says nothing of what it holds now. */
export interface LetterRef {
  readonly id: number;
  readonly edits: number;
}

/** Dead letters as messages. */
export interface LetterPage {
  readonly page: Page;
  /** For each message, its dead letter; their ids rise. */
  readonly letters: readonly LetterRef[];
  /** When they were read, by the database's clock and in its words. */
  readonly readAt: string;
}

/** How much of the dead letters is read at a time. */
export interface LetterLimit {
  readonly rows: number;
  /** Most bytes of values; a single larger letter is a page of its own. */
  readonly bytes: number;
}

/** Why a letter was not delivered this time either. */
export interface Refusal {
  readonly stage: Stage;
  readonly failure: Failure;
  readonly code: string;
  readonly reason: string;
  readonly topic: string | null;
  readonly recordKey: string | null;
  readonly partition: number | null;
}

/** What became of a letter: `delivered` is acknowledged by the sink; `filtered` has nowhere to go. Both are done. */
export type LetterOutcome = "delivered" | "filtered" | Refusal;

/** A letter with its outcome. */
export interface SettledLetter {
  readonly letter: LetterRef;
  readonly readAt: string;
  readonly outcome: LetterOutcome;
}

/** The dead letters of a pipeline, as far as they are to be sent again. Fenced like {@link DeadLetterStore}. */
export interface RetryStore {
  /** The oldest of what was asked for and is not finished, or null. */
  next(): Promise<RetryRequest | null>;
  /** The next letters of a request, with ids above `afterId`; null at the end, and once it was called off. */
  read(request: RetryRequest, afterId: number, limit: LetterLimit): Promise<LetterPage | null>;
  /**
   * Delete the letters that are done, and keep with those that were refused why they were, all at once.
   *
   * @throws {FencedError} when the lease's epoch is not ours any more; nothing is changed then
   */
  settle(request: RetryRequest, letters: readonly SettledLetter[]): Promise<void>;
  /** All letters of a request have their outcomes. Fenced as well. */
  finish(request: RetryRequest): Promise<void>;
}

/** The outcome of a page's letters, one by one. A letter is refused when any record of its message is. */
export class LetterProgress implements MessageProgress {
  readonly #letters: LetterPage;
  readonly #onSettled: (letter: SettledLetter) => void;
  readonly #pending: Uint16Array;
  readonly #refused = new Map<number, Refusal>();

  /** @param onSettled told of each letter that has its outcome */
  constructor(letters: LetterPage, onSettled: (letter: SettledLetter) => void) {
    this.#letters = letters;
    this.#onSettled = onSettled;
    this.#pending = new Uint16Array(letters.page.count).fill(1);
  }

  expect(row: number, more: number): void {
    invariant(this.#pending[row]! > 0, "a letter with an outcome gets no further records");
    this.#pending[row]! += more;
  }

  settle(row: number): void {
    this.#settle(row, this.#refused.get(row) ?? "delivered");
  }

  drop(row: number): void {
    this.#settle(row, this.#refused.get(row) ?? "filtered");
  }

  /** One pending thing of message `row` will not be delivered; the first such tells why. */
  refuse(row: number, refusal: Refusal): void {
    if (!this.#refused.has(row)) this.#refused.set(row, refusal);
    this.settle(row);
  }

  #settle(row: number, outcome: LetterOutcome): void {
    invariant(this.#pending[row]! > 0, "a letter is settled once");
    if (--this.#pending[row]! > 0) return;
    this.#refused.delete(row);
    const letter = this.#letters.letters[row]!;
    this.#onSettled({ letter, readAt: this.#letters.readAt, outcome });
  }
}
