/**
 * Where a pipeline stands in its outbox. See `src/read/mod.ts` for what windows and phases mean.
 *
 * @module
 */

/** A point in time of the database, as a bound of windows. Taken in a transaction of its own. */
export interface Mark {
  /** A `pg_snapshot` as text: `xmin:xmax:xip,…`. */
  readonly snapshot: string;
  /** The last id drawn, read after the snapshot; 0 when none was. */
  readonly topId: number;
  /** The next unassigned transaction id (xid8, as text), read last; never too small. */
  readonly nextXid: string;
}

/** The messages that became visible between two marks. */
export interface Window {
  /** Rises by one from window to window of a pipeline. */
  readonly number: number;
  readonly lower: Mark;
  readonly upper: Mark;
}

/** The two parts of a window, in reading order. */
export type Phase = "stragglers" | "run";

/** A place within a window: everything up to and including `lastId` in `phase` is behind it. */
export interface Position {
  readonly window: Window;
  readonly phase: Phase;
  readonly lastId: number;
}

/** Whether `a` stands before `b`, for positions of one pipeline. */
export function isBefore(a: Position, b: Position): boolean {
  if (a.window.number !== b.window.number) return a.window.number < b.window.number;
  if (a.phase !== b.phase) return a.phase === "stragglers";
  return a.lastId < b.lastId;
}
