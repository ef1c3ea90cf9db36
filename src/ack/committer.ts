/**
 * The committer: saves the frontier at its own pace, never ahead of it.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import type { Position } from "../record/position.ts";
import type { OffsetStore } from "./mod.ts";

/**
 * Saves positions one at a time: what arrives while a save is under way is saved next, newest only. A short pause between
 * saves bounds their rate; what is not saved when the process dies is delivered twice.
 */
export class Committer {
  readonly #store: OffsetStore;
  readonly #clock: Clock;
  #wanted: Position | null = null;
  #saving: Promise<void> | null = null;
  #failed = false;
  readonly #onFailure: (error: unknown) => void;

  /** @param onFailure called once when a save fails; nothing is saved afterwards */
  constructor(store: OffsetStore, clock: Clock, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** The frontier has moved to `position`. */
  advance(position: Position): void {
    this.#wanted = position;
    this.#start();
  }

  /** Resolves when everything given so far is saved, or saving has failed. */
  async flush(): Promise<void> {
    while (this.#saving !== null) await this.#saving;
  }

  #start(): void {
    if (this.#saving !== null || this.#failed || this.#wanted === null) return;
    this.#saving = this.#saveAll().finally(() => {
      this.#saving = null;
      this.#start();
    });
  }

  async #saveAll(): Promise<void> {
    while (this.#wanted !== null && !this.#failed) {
      const position = this.#wanted;
      this.#wanted = null;
      try {
        await this.#store.save(position);
      } catch (error) {
        this.#failed = true;
        this.#onFailure(error);
      }
      // The pause is skipped when nothing waits, so that a drain is not held up.
      if (this.#wanted !== null) await this.#clock.sleep(LIMITS.commitPauseMs);
    }
  }
}
