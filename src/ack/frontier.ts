/**
 * The frontier: how far a pipeline has come without a gap.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { isBefore, type Position } from "../record/position.ts";
import type { Stretch } from "../record/progress.ts";

/**
 * The end of the contiguous prefix of final messages over all pages, in reading order. It only ever moves forward, and
 * never past a message that is not final.
 */
export class Frontier {
  readonly #pages: Stretch[] = [];
  #head = 0;
  #position: Position | null = null;

  /** The position up to which everything is final, or `null` when nothing is yet. */
  get position(): Position | null {
    return this.#position;
  }

  /** Pages with messages that are not final, or not passed yet. */
  get openPages(): number {
    return this.#pages.length - this.#head;
  }

  /** Follow a page, or the end of a window, in reading order. */
  admit(page: Stretch): void {
    this.#pages.push(page);
  }

  /**
   * Move over everything that has become final.
   *
   * @returns whether the frontier moved
   */
  advance(): boolean {
    const before = this.#position;
    for (;;) {
      const page = this.#pages[this.#head];
      if (page === undefined) break;
      const reached = page.frontier();
      if (reached !== null) this.#move(reached);
      if (page.open > 0) break;
      this.#head++;
    }
    if (this.#head > 64) this.#pages.splice(0, this.#head), this.#head = 0;
    return this.#position !== before;
  }

  #move(to: Position): void {
    const from = this.#position;
    if (
      from !== null && from.window.number === to.window.number && from.phase === to.phase &&
      from.lastId === to.lastId
    ) {
      return;
    }
    invariant(from === null || isBefore(from, to), "the frontier only moves forward");
    this.#position = to;
  }
}
