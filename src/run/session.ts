/**
 * A session: one pipeline's stages from a saved position until something ends it.
 *
 * `read → transform → route → encode → deliver → ack`, each knowing only its own ports; this is where they meet. A session
 * ends by itself only through an error (the database went away, the lease was lost, a broken invariant), given by `ended`. Nothing in memory
 * outlives it: the next session starts from what was saved.
 *
 * @module
 */

import { Committer } from "../ack/committer.ts";
import { Frontier } from "../ack/frontier.ts";
import type { OffsetStore } from "../ack/mod.ts";
import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import { within } from "../base/within.ts";
import { DeadLetterDesk } from "../deliver/dead_letter_desk.ts";
import { Dispatcher, type RetryPolicy } from "../deliver/dispatcher.ts";
import type { Sink } from "../deliver/mod.ts";
import type { Format } from "../encode/mod.ts";
import { PageEncoder } from "../encode/page_encoder.ts";
import type { DeadLetterStore } from "../record/dead_letter.ts";
import type { RetryStore } from "../record/letter.ts";
import type { Window } from "../record/position.ts";
import { PageProgress, windowEnd } from "../record/progress.ts";
import type { DeliveryState } from "../record/state.ts";
import type { PageSource } from "../read/mod.ts";
import type { Start } from "../read/mod.ts";
import { Reader, type ReadPage } from "../read/reader.ts";
import type { Route } from "../route/mod.ts";
import type { Transform } from "../transform/mod.ts";
import { Passage } from "./passage.ts";
import { Retrier } from "./retrier.ts";

/** Everything a session is made of. */
export interface SessionParts {
  readonly source: PageSource;
  readonly start: Start;
  readonly transform: Transform;
  readonly route: Route;
  /** `null` for the native format. */
  readonly format: Format | null;
  readonly sink: Sink;
  readonly offsets: OffsetStore;
  readonly deadLetters: DeadLetterStore;
  /** Dead letters that somebody has asked to be sent again. */
  readonly retries: RetryStore;
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  /** The most dead letters that the pipeline may have. */
  readonly deadLettersMax: number;
  readonly pollIntervalMs: number;
  readonly onState: (state: DeliveryState) => void;
}

/** Counters of a session, for the log and metrics; dead letters that were sent again count like other messages. */
export interface SessionCounts {
  delivered: number;
  filtered: number;
  deadLettered: number;
}

/** One pipeline at work. */
export class Session {
  readonly #parts: SessionParts;
  readonly #frontier = new Frontier();
  readonly #committer: Committer;
  readonly #desk: DeadLetterDesk;
  readonly #dispatcher: Dispatcher;
  readonly #reader: Reader;
  readonly #encoder: PageEncoder;
  readonly #passage: Passage;
  readonly #retrier: Retrier;
  readonly #end = Promise.withResolvers<unknown>();
  #failure: { readonly error: unknown } | null = null;
  readonly #counts: SessionCounts = { delivered: 0, filtered: 0, deadLettered: 0 };
  #pumping: Promise<void> = Promise.resolve();
  #shutting: Promise<unknown> | null = null;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const fail = (error: unknown) => this.#fail(error);
    this.#committer = new Committer(parts.offsets, parts.clock, fail);
    this.#desk = new DeadLetterDesk({
      store: parts.deadLetters,
      lettersMax: parts.deadLettersMax,
      clock: parts.clock,
      onSettled: () => this.#settled(0),
      onState: parts.onState,
      onFailure: fail,
    });
    this.#dispatcher = new Dispatcher({
      sink: parts.sink,
      clock: parts.clock,
      retry: parts.retry,
      onSettled: (delivered) => this.#settled(delivered),
      onState: parts.onState,
      onFailure: fail,
    });
    this.#reader = new Reader({
      source: parts.source,
      clock: parts.clock,
      start: parts.start,
      pollIntervalMs: parts.pollIntervalMs,
    });
    this.#encoder = new PageEncoder(parts.format, parts.clock, parts.retry, parts.onState);
    this.#passage = new Passage({
      transform: parts.transform,
      route: parts.route,
      encoder: parts.format === null ? null : this.#encoder,
      dispatcher: this.#dispatcher,
      onDropped: (count) => this.#dropped(count),
    });
    this.#retrier = new Retrier({
      store: parts.retries,
      clock: parts.clock,
      take: (messages) => this.#passage.take(messages),
      onFailure: fail,
    });
  }

  /** Resolves with the error that ended the session. */
  get ended(): Promise<unknown> {
    return this.#end.promise;
  }

  /** The error that ended the session, also while it was drained; `null` when none did. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  /** What the session has done so far. */
  get counts(): Readonly<SessionCounts> {
    return { ...this.#counts, deadLettered: this.#desk.filed };
  }

  /** Start all stages. */
  start(): void {
    this.#reader.start();
    this.#pumping = this.#pump().catch((error) => this.#fail(error));
  }

  /** Try again now if the sink or format is in trouble. */
  poke(): void {
    this.#dispatcher.poke();
    this.#encoder.poke();
  }

  /** Somebody may have asked for dead letters to be sent again. */
  resend(): void {
    this.#retrier.wake();
  }

  /**
   * Stop reading, finish what is in flight, save the frontier.
   *
   * @param drainMs how long to wait for the sink, in milliseconds; a sink that is in trouble is not waited for
   * @returns whether everything that had been given to the sink was finished
   */
  async drain(drainMs: number): Promise<boolean> {
    await within(this.#parts.clock, drainMs, Promise.race([this.#settle(), this.#end.promise]));
    const drained = this.#dispatcher.idle;
    await this.#shut();
    return drained;
  }

  /** Stop at once and write nothing more: the lease or the database is lost. */
  async abort(): Promise<void> {
    this.#end.resolve(new Error("The session was aborted"));
    await this.#shut();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#end.resolve(error);
  }

  async #settle(): Promise<void> {
    const retrying = this.#retrier.stop();
    await this.#reader.stop();
    this.#encoder.close();
    this.#dispatcher.hurry();
    this.#desk.hurry();
    await Promise.all([this.#pumping, retrying]);
    await this.#dispatcher.settled();
    await Promise.all([this.#desk.flush(), this.#retrier.flush()]);
    await this.#committer.flush();
  }

  /** Give up what is under way; once. A database that hangs is not waited for: its queries can change nothing any more. */
  #shut(): Promise<unknown> {
    this.#encoder.close();
    this.#dispatcher.close();
    this.#desk.hurry();
    this.#retrier.close();
    const ended = () =>
      Promise.all([this.#reader.stop(), this.#pumping, this.#retrier.stop(), this.#committer.flush()]);
    return this.#shutting ??= within(this.#parts.clock, LIMITS.shutdownMs, ended());
  }

  async #pump(): Promise<void> {
    for (;;) {
      const read = await this.#reader.next();
      if (read === undefined) return;
      if (read.page !== null) await this.#process(read);
      else this.#pass(read.window);
    }
  }

  /** Everything of a window is under way or final. */
  #pass(window: Window): void {
    this.#frontier.admit(windowEnd(window));
    this.#settled(0);
  }

  async #process({ page, window, phase }: ReadPage): Promise<void> {
    await this.#desk.ready();
    const progress = new PageProgress(page.ids, window, phase);
    this.#frontier.admit(progress);
    await this.#passage.take({
      page,
      progress,
      attemptsMax: this.#parts.retry.maxAttempts,
      refuse: (casualties) => this.#desk.file(page, progress, casualties),
    });
  }

  #dropped(count: number): void {
    this.#counts.filtered += count;
    this.#settled(0);
  }

  #settled(delivered: number): void {
    this.#counts.delivered += delivered;
    if (this.#frontier.advance() && this.#frontier.position !== null) {
      this.#committer.advance(this.#frontier.position);
    }
  }
}
