/**
 * The reader: walks windows and hands out their pages in order.
 *
 * States, and who moves them: *reading* a window's pages; *trickling* (the last window was small or empty a moment ago: the
 * next mark is taken after a few milliseconds); *listening* (idle for a while: publishers were asked to notify, the reader polled once
 * more and now waits, with a growing interval as a fallback). A message found in any state leads back to *reading*.
 *
 * @module
 */

import { BoundedQueue } from "../base/bounded_queue.ts";
import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import type { Page } from "../record/page.ts";
import type { Mark, Phase, Position, Window } from "../record/position.ts";
import type { PageLimit, PageSource, Start } from "./mod.ts";

/** A page and where it lies. */
export interface ReadPage {
  readonly page: Page;
  readonly window: Window;
  readonly phase: Phase;
}

/**
 * All pages of a window were handed out. Given before the reader rests, for a window that held any: the position can then
 * stand behind the window rather than behind its last message, which may be a straggler in the middle of it.
 */
export interface ReadEnd {
  readonly page: null;
  readonly window: Window;
}

/** What a reader needs. */
export interface ReaderOptions {
  readonly source: PageSource;
  readonly clock: Clock;
  readonly start: Start;
  /** The longest wait between two polls of an idle outbox, in milliseconds. */
  readonly pollIntervalMs: number;
  readonly limit?: PageLimit;
}

/** Reads one outbox for one pipeline. */
export class Reader {
  readonly #source: PageSource;
  readonly #clock: Clock;
  readonly #pollIntervalMs: number;
  readonly #limit: PageLimit;
  readonly #pages = new BoundedQueue<ReadPage | ReadEnd>(LIMITS.pagesAhead);
  readonly #stop = new AbortController();
  #lower: Mark;
  #number: number;
  #resume: Position | null;
  /** Where the last page ended, until the end of its window was handed out. */
  #last: Position | null;
  #running: Promise<void> | null = null;

  constructor(options: ReaderOptions) {
    this.#source = options.source;
    this.#clock = options.clock;
    this.#pollIntervalMs = options.pollIntervalMs;
    this.#limit = options.limit ?? { rows: LIMITS.pageRows, bytes: LIMITS.pageBytes };
    this.#resume = "position" in options.start ? options.start.position : null;
    this.#last = this.#resume;
    this.#lower = "position" in options.start ? options.start.position.window.lower : options.start.lower;
    this.#number = "position" in options.start ? options.start.position.window.number : 0;
  }

  /** Start reading ahead. */
  start(): void {
    this.#running = this.#run().then(() => this.#pages.end(), (error) => this.#pages.fail(error));
  }

  /**
   * The next page, or the end of a window; `undefined` after {@link Reader.stop}.
   *
   * @throws {SourceError} when the database does not answer
   */
  next(): Promise<ReadPage | ReadEnd | undefined> {
    return this.#pages.take();
  }

  /** Stop reading; pages read ahead are dropped. Resolves when the last query has returned. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#pages.abandon();
    await this.#running;
  }

  async #run(): Promise<void> {
    if (this.#resume !== null) {
      await this.#readWindow(this.#resume.window, this.#resume.phase, this.#resume.lastId);
      this.#advance(this.#resume.window);
      await this.#handOutEnd();
    }
    const idle = new IdleTimer(this.#clock, this.#pollIntervalMs);
    while (!this.#stopped) {
      const startedMs = this.#clock.monotonic();
      const found = await this.#poll();
      if (found > 0) idle.reset();
      if (found >= this.#limit.rows) continue;
      await this.#handOutEnd();
      if (found > 0) await this.#pause(LIMITS.pollMinMs - (this.#clock.monotonic() - startedMs));
      else await this.#rest(idle);
    }
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** One window; returns how many messages it held. */
  async #poll(): Promise<number> {
    const upper = await this.#source.mark();
    const window: Window = { number: this.#number + 1, lower: this.#lower, upper };
    const found = await this.#readWindow(window, "stragglers", 0);
    if (!this.#stopped) this.#advance(window);
    return found;
  }

  #advance(window: Window): void {
    this.#lower = window.upper;
    this.#number = window.number;
  }

  async #readWindow(window: Window, phase: Phase, afterId: number): Promise<number> {
    let found = 0;
    if (phase === "stragglers") {
      if (mayHoldStragglers(window)) found += await this.#readPhase(window, "stragglers", afterId);
      afterId = window.lower.topId;
    }
    if (window.upper.topId > afterId) found += await this.#readPhase(window, "run", afterId);
    return found;
  }

  async #readPhase(window: Window, phase: Phase, afterId: number): Promise<number> {
    let found = 0;
    let lastId = afterId;
    while (!this.#stopped) {
      const page = phase === "run"
        ? await this.#source.run(window, lastId, this.#limit)
        : await this.#source.stragglers(window, lastId, this.#limit);
      if (page === null) break;
      lastId = page.ids[page.count - 1]!;
      found += page.count;
      this.#last = { window, phase, lastId };
      if (!await this.#pages.push({ page, window, phase })) break;
      // Nothing can lie above the last id drawn, so the query that would say so is saved.
      if (phase === "run" && lastId >= window.upper.topId) break;
    }
    return found;
  }

  /** Say that the last window with pages has been read to its end, unless its last page says so. */
  async #handOutEnd(): Promise<void> {
    const last = this.#last;
    if (last === null || this.#stopped) return;
    this.#last = null;
    const { window, phase, lastId } = last;
    if (phase === "stragglers" || lastId < window.upper.topId) await this.#pages.push({ page: null, window });
  }

  /** Nothing was found: wait a little longer each time, and have publishers wake us once it has been quiet. */
  async #rest(idle: IdleTimer): Promise<void> {
    if (!idle.quiet) {
      await this.#pause(idle.nextMs());
      return;
    }
    const asked = await this.#source.askForWakeup();
    if (asked && !this.#stopped && await this.#poll() > 0) {
      idle.reset();
      return;
    }
    await this.#source.waitForWakeup(idle.nextMs(), this.#stop.signal);
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await this.#clock.sleep(ms, this.#stop.signal);
  }
}

/**
 * Whether a transaction that was open at the lower mark can have become visible since. Saves the query in the usual
 * case: no transaction with an id was open then, or nothing at all has ended since.
 */
function mayHoldStragglers(window: Window): boolean {
  const { lower, upper } = window;
  if (lower.topId === 0 || lower.snapshot === upper.snapshot) return false;
  const [, xmax, open] = lower.snapshot.split(":");
  return open !== "" || xmax !== lower.nextXid;
}

/** How long the reader has found nothing, and how long it waits next: doubling up to the poll interval. */
class IdleTimer {
  readonly #clock: Clock;
  readonly #maxMs: number;
  #sinceMs: number;
  #waitMs: number = LIMITS.pollMinMs;

  constructor(clock: Clock, maxMs: number) {
    this.#clock = clock;
    this.#maxMs = maxMs;
    this.#sinceMs = clock.monotonic();
  }

  /** Whether it has been quiet long enough to ask for wake-ups. */
  get quiet(): boolean {
    return this.#clock.monotonic() - this.#sinceMs >= LIMITS.wakeupAfterIdleMs;
  }

  nextMs(): number {
    const waitMs = Math.min(this.#waitMs, this.#maxMs);
    this.#waitMs = Math.min(2 * this.#waitMs, this.#maxMs);
    return waitMs;
  }

  reset(): void {
    this.#sinceMs = this.#clock.monotonic();
    this.#waitMs = LIMITS.pollMinMs;
  }
}
