/**
 * Puts messages that can never succeed into the dead letters, and only then calls them final.
 *
 * @module
 */

import { OPS, textAt } from "@pg-tide/sdk";
import { LIMITS } from "../base/limits.ts";
import type { DeadLetter, DeadLetterStore, Stage } from "../record/dead_letter.ts";
import type { Page } from "../record/page.ts";
import type { PageProgress } from "../record/progress.ts";

/** A message of a page that goes to the dead letters. */
export interface Casualty {
  /** Its row in the page. */
  readonly row: number;
  readonly recordIndex: number;
  readonly stage: Stage;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly topic: string | null;
  readonly recordKey: string | null;
  readonly partition: number | null;
}

/**
 * Files dead letters. A message becomes final when its dead letter is durable, so the offset can never pass a message that is
 * neither delivered nor kept; a crash in between files it again, which the table's uniqueness makes harmless.
 */
export class DeadLetterDesk {
  readonly #store: DeadLetterStore;
  readonly #onSettled: () => void;
  readonly #onFailure: (error: unknown) => void;
  #pending: Promise<void> = Promise.resolve();
  #filed = 0;

  /**
   * @param onSettled called after messages became final
   * @param onFailure called when the database refuses, and nothing is settled then; or when only a bug explains what failed
   */
  constructor(store: DeadLetterStore, onSettled: () => void, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#onSettled = onSettled;
    this.#onFailure = onFailure;
  }

  /** Dead letters written so far. */
  get filed(): number {
    return this.#filed;
  }

  /** File casualties of a page, after those filed before. Resolves when they are durable or filing has failed. */
  file(page: Page, progress: PageProgress, casualties: readonly Casualty[]): Promise<void> {
    if (casualties.length === 0) return Promise.resolve();
    const letters = casualties.map((casualty) => letterOf(page, casualty));
    this.#pending = this.#pending.then(async () => {
      try {
        await this.#store.keep(letters);
        this.#filed += letters.length;
        for (const { row } of casualties) progress.settle(row);
        this.#onSettled();
      } catch (error) {
        this.#onFailure(error);
      }
    });
    return this.#pending;
  }

  /** Resolves when everything filed so far is durable, or filing has failed. */
  flush(): Promise<void> {
    return this.#pending;
  }
}

function letterOf(page: Page, casualty: Casualty): DeadLetter {
  const { row } = casualty;
  return {
    messageId: page.ids[row]!,
    recordIndex: casualty.recordIndex,
    stage: casualty.stage,
    code: casualty.code,
    reason: casualty.reason.slice(0, LIMITS.textMax),
    attempts: casualty.attempts,
    createdMs: page.createdMs[row]!,
    op: OPS[page.ops[row]!] ?? "insert",
    dedupKey: textAt(page.dedupKey, row),
    payload: textAt(page.payload, row) ?? "null",
    headers: textAt(page.headers, row),
    previous: textAt(page.previous, row),
    topic: casualty.topic,
    recordKey: casualty.recordKey,
    partition: casualty.partition,
  };
}
