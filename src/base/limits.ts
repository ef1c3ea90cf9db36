/**
 * Every number that bounds work, each with its reason. How they relate is asserted when the module loads.
 *
 * @module
 */

import { invariant } from "./invariant.ts";

/** The bounds of the relay's work. */
export const LIMITS = {
  /**
   * Messages in a page. 4,000 small messages fill about 1 MiB, and a page then gives 40 produce requests of `batch_size` 100:
   * enough to keep five in flight. Larger pages gained nothing when measured.
   */
  pageRows: 4_000,

  /** Bytes of values in a page, unless one message is larger. The contract's limit. */
  pageBytes: 2 * 1024 * 1024,

  /** Pages read ahead of the stages. One is enough to hide the database's round trip. */
  pagesAhead: 1,

  /**
   * Bytes of pages in flight to a sink, per pipeline. Each page is held twice, here and in the Worker, so that it can be sent
   * again after the Worker died.
   */
  inFlightBytes: 16 * 1024 * 1024,

  /** Pages in flight to a sink when it does not say. */
  pagesInFlight: 4,

  /**
   * Pause between two saves of a position. 20 ms bounds it to 50 commits a second per pipeline, and what a kill repeats to
   * what was in flight plus 20 ms of deliveries.
   */
  commitPauseMs: 20,

  /** Least time between two marks while messages trickle in: wake-ups are coalesced to this. */
  pollMinMs: 2,

  /** An idle time from which the reader asks publishers to notify instead of polling ever more. */
  wakeupAfterIdleMs: 25,

  /**
   * For how long publishers are asked to notify at a time. A relay that died is notified for no longer, and one that lives asks
   * again after half of it.
   */
  wakeupMs: 5_000,

  /** Bytes of a log line, error reason or advice that comes from outside. */
  textMax: 2_000,

  /**
   * For an answer of the database, before its connections are given up as dead: nothing else would notice for a quarter of an
   * hour. All queries take milliseconds, but the largest messages over a slow line take seconds.
   */
  queryMs: 60_000,

  /** For the one query that scans an outbox: where a pipeline with a time as its start begins. */
  scanMs: 3_600_000,

  /**
   * Attempts of a query that finds all connections of the server taken, while ours are busy: about ten seconds. A role with fewer
   * connections than the relay may open is slow then, not broken.
   */
  connectionAttempts: 40,

  /** Dead letters of a pipeline are logged this often at most, with their number since the last line. */
  deadLetterLogMs: 10_000,

  /** Pages whose dead letters are being filed while more is read: what is read and cannot be filed stays in memory. */
  filingsAhead: 4,

  /** A pipeline without room for another dead letter looks for room this often. */
  deadLettersFullMs: 5_000,

  /**
   * Dead letters that are sent again at a time. A quarter of a page: what is published waits for no more than this, and both
   * have their turns one after the other.
   */
  retryRows: 1_000,

  /** Bytes of values of them, unless one is larger. */
  retryBytes: 512 * 1024,

  /** Pages of them without an outcome. */
  retryPages: 4,

  /** A blocked pipeline is tried again this often without a change: rights are granted, topics created. */
  blockedRetryMs: 10_000,

  /** The files that a configuration names are read again this often; a change is in force after two looks. */
  filesPollMs: 1_000,

  /** A change in the catalog is noticed at the latest after this, when no notification arrives. */
  catalogPollMs: 1_000,

  /** How long the parts of a session that has ended are waited for. */
  shutdownMs: 3_000,

  /** Outbox slots are rotated and old positions pruned this often. */
  maintainEveryMs: 60_000,
} as const;

invariant(LIMITS.inFlightBytes >= 4 * LIMITS.pageBytes, "several pages fit in flight");
invariant(LIMITS.pollMinMs < LIMITS.wakeupAfterIdleMs, "polling comes before asking for wake-ups");
