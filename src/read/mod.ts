/**
 * The read stage: messages of one outbox in commit-safe order, as a stream of pages, without a lock that a publisher
 * could meet.
 *
 * Reading by `id > last` loses messages, because a smaller id can commit later. So the reader works in *windows*. A
 * window is the set of messages visible in its upper mark and not in its lower one. It is read in two phases, each in the
 * order of ids:
 *
 * 1. *stragglers*: messages with an id up to the lower mark's `topId`, of transactions that were open at the lower mark;
 * 2. *run*: messages with ids above that, up to the upper mark's `topId`.
 *
 * When both are read to their end (a page with no messages; a short page means nothing, because pages are also bounded
 * in bytes), the upper mark becomes the next window's lower one. A transaction that stays open delays only its own messages: they
 * are stragglers of the window in which it commits. Nothing is held back, nothing is read twice.
 *
 * Before the reader rests it says that the last window with messages has ended. The saved position then stands behind that
 * window, also when its last message was a straggler: rotation can tell that everything up to there was delivered.
 *
 * Marks, windows and pages are good for as long as the server keeps its memory: after a crash or a failover it gives ids and
 * transaction ids out again, every method of the source throws, and the next session starts from the saved position.
 *
 * @module
 */

import type { Page } from "../record/page.ts";
import type { Mark, Position, Window } from "../record/position.ts";

/** Where reading starts: behind a saved position, or from a mark on. */
export type Start = { readonly position: Position } | { readonly lower: Mark };

/** How much one page may hold. */
export interface PageLimit {
  /** Most messages. */
  readonly rows: number;
  /** Most bytes of payload, headers and previous row together; a single larger message is a page of its own. */
  readonly bytes: number;
}

/** The outbox, as the read stage needs it. Every method throws {@link SourceError} when the database cannot answer. */
export interface PageSource {
  /** Take a mark, in a transaction of its own. */
  mark(): Promise<Mark>;
  /** The next stragglers with an id above `afterId`, or `null` at the end of the phase. */
  stragglers(window: Window, afterId: number, limit: PageLimit): Promise<Page | null>;
  /** The next messages of the run with an id above `afterId`, or `null` at the end of the phase. */
  run(window: Window, afterId: number, limit: PageLimit): Promise<Page | null>;
  /**
   * Have publishers notify for the next while, if the outbox notifies at all; called each time the reader runs dry.
   *
   * @returns whether they were asked anew: the reader then polls once more, for what was published before they knew
   */
  askForWakeup(): Promise<boolean>;
  /**
   * Wait until a publisher notifies, `ms` have passed, or `signal` aborts. Returns at once when a notification has
   * arrived since the last call.
   */
  waitForWakeup(ms: number, signal: AbortSignal): Promise<void>;
}

/** The database did not answer: the session over this outbox is void, and starts again from the saved position. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}
