/**
 * Puts messages that can never succeed into the dead letters, and only then calls them final.
 *
 * @module
 */

import { OPS, textAt } from "@pg-tide/sdk";
import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import type { DeadLetter, DeadLetterStore, Failure, Stage } from "../record/dead_letter.ts";
import type { Page } from "../record/page.ts";
import type { MessageProgress } from "../record/progress.ts";
import type { DeliveryState } from "../record/state.ts";

/** A message of a page that goes to the dead letters. */
export interface Casualty {
  /** Its row in the page. */
  readonly row: number;
  readonly recordIndex: number;
  readonly stage: Stage;
  readonly failure: Failure;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly topic: string | null;
  readonly recordKey: string | null;
  readonly partition: number | null;
}

/** What a desk needs. */
export interface DeadLetterDeskOptions {
  readonly store: DeadLetterStore;
  /** The most dead letters that the pipeline may have. */
  readonly lettersMax: number;
  readonly clock: Clock;
  /** Called after messages became final. */
  readonly onSettled: () => void;
  readonly onState: (state: DeliveryState) => void;
  /** Called when the database refuses, and nothing is settled then; or when only a bug explains what failed. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Files dead letters. A message becomes final when its dead letter is durable, so the offset can never pass a message that is
 * neither delivered nor kept; a crash in between files it again, which the table's uniqueness makes harmless.
 *
 * A pipeline that has as many dead letters as it may have is *full*: nothing is filed, so nothing becomes final and
 * reading comes to rest, until some of them were sent again or discarded. None is ever dropped to make room.
 */
export class DeadLetterDesk {
  readonly #options: DeadLetterDeskOptions;
  readonly #hurried = new AbortController();
  #pending: Promise<void> = Promise.resolve();
  /** Calls whose letters are not durable yet. */
  #filing = 0;
  #filed = 0;
  /** How many letters the pipeline has at most; null before they were counted. */
  #kept: number | null = null;
  #waiting: (() => void)[] = [];

  constructor(options: DeadLetterDeskOptions) {
    this.#options = options;
  }

  /** Dead letters written so far. */
  get filed(): number {
    return this.#filed;
  }

  /** Resolves when so little waits to be filed that more may be read, or nobody shall wait any more. */
  async ready(): Promise<void> {
    while (this.#filing > LIMITS.filingsAhead && !this.#hurried.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** File casualties of a page, after those filed before. Resolves when they are durable or filing has failed. */
  file(page: Page, progress: MessageProgress, casualties: readonly Casualty[]): Promise<void> {
    if (casualties.length === 0) return Promise.resolve();
    this.#filing++;
    this.#pending = this.#pending.then(async () => {
      try {
        await this.#file(page, progress, casualties);
      } catch (error) {
        this.#options.onFailure(error);
      }
      this.#filing--;
      this.#changed();
    });
    return this.#pending;
  }

  /** Wait for room no more: what has none is read again by the next session. */
  hurry(): void {
    this.#hurried.abort();
    this.#changed();
  }

  /** Resolves when everything filed so far is durable, or filing has failed. */
  flush(): Promise<void> {
    return this.#pending;
  }

  async #file(page: Page, progress: MessageProgress, casualties: readonly Casualty[]): Promise<void> {
    for (let from = 0; from < casualties.length;) {
      const room = await this.#room();
      if (room === 0) return;
      const some = casualties.slice(from, from + room);
      await this.#options.store.keep(some.map((casualty) => letterOf(page, casualty)));
      from += some.length;
      this.#kept! += some.length;
      this.#filed += some.length;
      for (const { row } of some) progress.settle(row);
      this.#options.onSettled();
    }
  }

  /** How many letters may be filed, once that is any; 0 when there is no room and nobody shall wait for it. */
  async #room(): Promise<number> {
    const { store, lettersMax, clock, onState } = this.#options;
    for (let full = false;; full = true) {
      // Others only take letters away, so counting is needed no sooner than there seems to be no room.
      if (this.#kept === null || this.#kept >= lettersMax) this.#kept = await store.count(lettersMax);
      const room = lettersMax - this.#kept;
      if (room > 0) {
        if (full) onState({ state: "running" });
        return room;
      }
      if (this.#hurried.signal.aborted) return 0;
      onState(fullAt(lettersMax));
      await clock.sleep(LIMITS.deadLettersFullMs, this.#hurried.signal);
    }
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function fullAt(lettersMax: number): DeliveryState {
  return {
    state: "blocked",
    code: "DEAD_LETTERS_FULL",
    reason:
      `The pipeline has ${lettersMax} dead letters, as many as dlq.max_letters allows, and one more to keep`,
    advice:
      "Send them again with pg-tide dlq retry, or throw them away with pg-tide dlq discard, or allow more with " +
      "dlq.max_letters; the pipeline goes on by itself.",
  };
}

function letterOf(page: Page, casualty: Casualty): DeadLetter {
  const { row } = casualty;
  return {
    messageId: page.ids[row]!,
    recordIndex: casualty.recordIndex,
    stage: casualty.stage,
    failure: casualty.failure,
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
