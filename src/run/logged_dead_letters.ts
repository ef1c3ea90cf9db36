/**
 * Dead letters that an operator hears of.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import type { Logger } from "../base/telemetry.ts";
import type { DeadLetter, DeadLetterStore } from "../record/dead_letter.ts";

/**
 * Keeps dead letters in another store and logs them: the first at once, then a line with their number every while, as a thousand
 * may come in a second. `status` counts them all.
 */
export class LoggedDeadLetters implements DeadLetterStore {
  readonly #store: DeadLetterStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  #loggedMs = -Infinity;
  #untold = 0;

  constructor(store: DeadLetterStore, clock: Clock, log: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  async keep(letters: readonly DeadLetter[]): Promise<void> {
    await this.#store.keep(letters);
    this.#untold += letters.length;
    const nowMs = this.#clock.monotonic();
    const last = letters.at(-1);
    if (last === undefined || nowMs - this.#loggedMs < LIMITS.deadLetterLogMs) return;
    const { messageId, stage, code, reason } = last;
    this.#log.error("Messages became dead letters", {
      count: this.#untold,
      message: messageId,
      stage,
      code,
      reason,
    });
    this.#loggedMs = nowMs;
    this.#untold = 0;
  }

  count(most: number): Promise<number> {
    return this.#store.count(most);
  }
}
