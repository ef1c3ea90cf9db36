/**
 * A session: one pipeline's stages from a saved position until something ends it.
 *
 * `read → transform → route → encode → deliver → ack`, each knowing only its own ports; this is where they meet. A session
 * ends by itself only through an error (the database went away, the lease was lost, a broken invariant), given by `ended`. Nothing in memory
 * outlives it: the next session starts from what was saved.
 *
 * @module
 */

import type { EncodedPage } from "@pg-tide/sdk";
import { Committer } from "../ack/committer.ts";
import { Frontier } from "../ack/frontier.ts";
import type { OffsetStore } from "../ack/mod.ts";
import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import { within } from "../base/within.ts";
import { DeadLetterDesk } from "../deliver/dead_letter_desk.ts";
import { Dispatcher, type RetryPolicy } from "../deliver/dispatcher.ts";
import type { Sink } from "../deliver/mod.ts";
import { Shipment } from "../deliver/shipment.ts";
import type { Format } from "../encode/mod.ts";
import { nativeRecords } from "../encode/native.ts";
import { PageEncoder } from "../encode/page_encoder.ts";
import type { DeadLetterStore, Stage } from "../record/dead_letter.ts";
import type { Window } from "../record/position.ts";
import { PageProgress, windowEnd } from "../record/progress.ts";
import type { RowRejection } from "../record/rejection.ts";
import type { DeliveryState } from "../record/state.ts";
import type { PageSource } from "../read/mod.ts";
import type { Start } from "../read/mod.ts";
import { Reader, type ReadPage } from "../read/reader.ts";
import type { Route } from "../route/mod.ts";
import type { Transform } from "../transform/mod.ts";

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
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  readonly pollIntervalMs: number;
  readonly onState: (state: DeliveryState) => void;
}

/** Counters of a session, for the log and metrics. */
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
  readonly #end = Promise.withResolvers<unknown>();
  #failure: { readonly error: unknown } | null = null;
  readonly #counts: SessionCounts = { delivered: 0, filtered: 0, deadLettered: 0 };
  #pumping: Promise<void> = Promise.resolve();
  #shutting: Promise<unknown> | null = null;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const fail = (error: unknown) => this.#fail(error);
    this.#committer = new Committer(parts.offsets, parts.clock, fail);
    this.#desk = new DeadLetterDesk(parts.deadLetters, () => this.#settled(0), fail);
    this.#dispatcher = new Dispatcher({
      sink: parts.sink,
      desk: this.#desk,
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
    await this.#reader.stop();
    this.#encoder.close();
    this.#dispatcher.hurry();
    await this.#pumping;
    await this.#dispatcher.settled();
    await this.#desk.flush();
    await this.#committer.flush();
  }

  /** Give up what is under way; once. A database that hangs is not waited for: its queries can change nothing any more. */
  #shut(): Promise<unknown> {
    this.#encoder.close();
    this.#dispatcher.close();
    const ended = () => Promise.all([this.#reader.stop(), this.#pumping, this.#committer.flush()]);
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
    const progress = new PageProgress(page.ids, window, phase);
    this.#frontier.admit(progress);
    const context = { page, progress };

    const transformed = this.#parts.transform(page);
    this.#settleFiltered(context, transformed.origin, transformed.page?.count ?? 0, transformed.rejected);
    await this.#reject(context, null, "transform", transformed.rejected);
    if (transformed.page === null) return;

    const routed = this.#parts.route(transformed.page);
    await this.#reject(context, transformed.origin, "route", routed.rejected);
    if (routed.page === null) return;
    const origin = compose(transformed.origin, routed.origin);

    if (this.#parts.format === null) {
      const records = nativeRecords(routed.page);
      await this.#dispatcher.offer(new Shipment({ records, rows: origin, source: page, progress }));
      return;
    }
    const outcome = await this.#encoder.encode(routed.page);
    if (outcome !== null) await this.#ship(context, origin, routed.page.count, outcome);
  }

  /** Hand encoded records on; messages without a record are final, messages with several wait for all of them. */
  async #ship(
    context: Context,
    origin: Uint32Array | null,
    messages: number,
    outcome: EncodedPage,
  ): Promise<void> {
    const { page: records, messageIndex, rejected } = outcome;
    const perMessage = new Uint16Array(messages);
    for (const index of messageIndex) perMessage[index]!++;
    const refused = new Set(rejected.map(({ index }) => index));
    for (let i = 0; i < messages; i++) {
      const row = origin === null ? i : origin[i]!;
      if (perMessage[i]! > 1) context.progress.expect(row, perMessage[i]! - 1);
      else if (perMessage[i] === 0 && !refused.has(i)) context.progress.settle(row);
    }
    this.#settled(0);
    await this.#reject(
      context,
      origin,
      "encode",
      rejected.map(({ index, code, reason }) => ({ row: index, code, reason })),
    );
    const rows = messageIndex.map((index) => origin === null ? index : origin[index]!);
    await this.#dispatcher.offer(
      new Shipment({ records, rows, source: context.page, progress: context.progress }),
    );
  }

  #settleFiltered(
    { page, progress }: Context,
    origin: Uint32Array | null,
    kept: number,
    rejected: readonly RowRejection[],
  ): void {
    const filtered = page.count - kept - rejected.length;
    if (filtered === 0) return;
    const stays = new Uint8Array(page.count);
    for (let i = 0; i < kept; i++) stays[origin === null ? i : origin[i]!] = 1;
    for (const { row } of rejected) stays[row] = 1;
    for (let row = 0; row < page.count; row++) if (stays[row] === 0) progress.settle(row);
    this.#counts.filtered += filtered;
    this.#settled(0);
  }

  async #reject(
    { page, progress }: Context,
    origin: Uint32Array | null,
    stage: Stage,
    rejected: readonly RowRejection[],
  ): Promise<void> {
    await this.#desk.file(
      page,
      progress,
      rejected.map(({ row, code, reason }) => ({
        row: origin === null ? row : origin[row]!,
        recordIndex: 0,
        stage,
        code,
        reason,
        attempts: 1,
        topic: null,
        recordKey: null,
        partition: null,
      })),
    );
  }

  #settled(delivered: number): void {
    this.#counts.delivered += delivered;
    if (this.#frontier.advance() && this.#frontier.position !== null) {
      this.#committer.advance(this.#frontier.position);
    }
  }
}

interface Context {
  readonly page: ReadPage["page"];
  readonly progress: PageProgress;
}

/** The rows of the first page behind the rows of a page made of a page made of it. */
function compose(outer: Uint32Array | null, inner: Uint32Array | null): Uint32Array | null {
  if (outer === null) return inner;
  return inner === null ? outer : inner.map((row) => outer[row]!);
}
