/**
 * Which messages of what was read are final.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import type { Phase, Position, Window } from "./position.ts";

/** A part of what was read, in reading order, as the frontier passes over it. */
export interface Stretch {
  /** Messages that are not final. */
  readonly open: number;
  /** Where its contiguous prefix of final messages ends, or `null` when its first message is not final. */
  frontier(): Position | null;
}

/** What the stages say of the messages of a page, by its rows. */
export interface MessageProgress {
  /** One more thing of message `row` is pending: a format made `more + 1` records of it. */
  expect(row: number, more: number): void;
  /** One pending thing of message `row` is done. */
  settle(row: number): void;
  /** Message `row` goes nowhere: it is filtered, or the format makes no record of it. */
  drop(row: number): void;
}

/** Behind the last page of a window: whoever has passed all of its pages has passed the window. */
export function windowEnd(window: Window): Stretch {
  const position: Position = { window, phase: "run", lastId: window.upper.topId };
  return { open: 0, frontier: () => position };
}

/**
 * The outcome of a page's messages, one by one.
 *
 * A message is final when nothing of it is pending any more: no record on its way to the sink, no dead letter on its way
 * to the database.
 */
export class PageProgress implements Stretch, MessageProgress {
  readonly window: Window;
  readonly phase: Phase;
  readonly #ids: Float64Array;
  /** For each message, how many things are pending; a message starts with one: being processed at all. */
  readonly #pending: Uint16Array;
  #open: number;
  #prefix = 0;

  /** @param ids the ids of the page's messages, rising */
  constructor(ids: Float64Array, window: Window, phase: Phase) {
    this.#ids = ids;
    this.window = window;
    this.phase = phase;
    this.#open = ids.length;
    this.#pending = new Uint16Array(ids.length).fill(1);
  }

  /** Messages that are not final. */
  get open(): number {
    return this.#open;
  }

  /** Messages of the page. */
  get count(): number {
    return this.#ids.length;
  }

  /** The id of a message. */
  idOf(row: number): number {
    return this.#ids[row]!;
  }

  expect(row: number, more: number): void {
    invariant(this.#pending[row]! > 0, "a final message gets no further records");
    this.#pending[row]! += more;
  }

  settle(row: number): void {
    invariant(this.#pending[row]! > 0, "a message is settled once");
    if (--this.#pending[row]! === 0) this.#open--;
  }

  drop(row: number): void {
    this.settle(row);
  }

  /** Where the contiguous prefix of final messages ends, or `null` when the first message is not final. */
  frontier(): Position | null {
    while (this.#prefix < this.#ids.length && this.#pending[this.#prefix] === 0) this.#prefix++;
    if (this.#prefix === 0) return null;
    return { window: this.window, phase: this.phase, lastId: this.#ids[this.#prefix - 1]! };
  }
}
