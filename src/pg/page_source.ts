/**
 * The read stage's port, over PostgreSQL.
 *
 * @module
 */

import { LIMITS } from "../base/limits.ts";
import { type PageLimit, type PageSource, SourceError } from "../read/mod.ts";
import type { Page } from "../record/page.ts";
import type { Mark, Window } from "../record/position.ts";
import { ANOTHER_LIFE } from "./claim.ts";
import type { Database, Parameter } from "./database.ts";
import type { NotificationChannel } from "./notifications.ts";
import { decodePage, type PageRow } from "./page_decoder.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const MARK = readStatement("mark");
const READ_RUN = readStatement("read_run");
const READ_STRAGGLERS = readStatement("read_stragglers");
const ASK_FOR_WAKEUP = readStatement("ask_for_wakeup");

/** Reads one outbox for one session. */
export class PostgresPageSource implements PageSource {
  readonly #db: Database;
  readonly #outbox: number;
  readonly #life: string;
  readonly #readRun: string;
  readonly #readStragglers: string;
  readonly #channel: NotificationChannel;
  #seen: number;
  /** When publishers were asked to notify, and whether they do; before that they do not. */
  #askedMs = -Infinity;
  #notifies = false;

  /** @param life of the server in which the session began: marks, and what was read by them, are void in another one */
  constructor(db: Database, outbox: number, life: string) {
    this.#db = db;
    this.#outbox = outbox;
    this.#life = life;
    this.#readRun = READ_RUN.replace("tide.read_run_{outbox}", `tide.read_run_${outbox}`);
    this.#readStragglers = READ_STRAGGLERS.replace(
      "tide.read_stragglers_{outbox}",
      `tide.read_stragglers_${outbox}`,
    );
    this.#channel = db.channel(`tide_${outbox}`);
    this.#seen = this.#channel.count;
  }

  async mark(): Promise<Mark> {
    const [row] = await this.#ask(() => this.#db.query<MarkRow>(MARK, [this.#outbox], PREPARED));
    const { snapshot, topId, nextXid, life } = row!;
    this.#check(life);
    return { snapshot, topId: Number(topId), nextXid };
  }

  stragglers({ lower, upper }: Window, afterId: number, limit: PageLimit): Promise<Page | null> {
    const bounds = [lower.snapshot, upper.snapshot, lower.topId, lower.nextXid, afterId];
    return this.#page(this.#readStragglers, [...bounds, limit.rows, limit.bytes]);
  }

  run({ lower, upper }: Window, afterId: number, limit: PageLimit): Promise<Page | null> {
    const bounds = [lower.snapshot, upper.snapshot, afterId, upper.topId];
    return this.#page(this.#readRun, [...bounds, limit.rows, limit.bytes]);
  }

  async askForWakeup(): Promise<boolean> {
    const nowMs = this.#db.clock.monotonic();
    if (nowMs - this.#askedMs < LIMITS.wakeupMs / 2) return false;
    const parameters = [this.#outbox, LIMITS.wakeupMs];
    const [row] = await this.#ask(() =>
      this.#db.query<{ notifies: boolean }>(ASK_FOR_WAKEUP, parameters, PREPARED)
    );
    this.#askedMs = nowMs;
    this.#notifies = row!.notifies;
    return this.#notifies;
  }

  async waitForWakeup(ms: number, signal: AbortSignal): Promise<void> {
    // Publishers notify until the deadline only, which may be a fifth earlier: see tide.ask_for_wakeup.
    const untilMs = this.#askedMs + 4 / 5 * LIMITS.wakeupMs;
    const leftMs = this.#notifies ? Math.max(0, untilMs - this.#db.clock.monotonic()) : ms;
    await this.#channel.wait(this.#seen, Math.min(ms, leftMs), signal);
    this.#seen = this.#channel.count;
  }

  async #page(statement: string, parameters: readonly Parameter[]): Promise<Page | null> {
    const values = await this.#ask(() => this.#db.queryBytes(statement, parameters, PREPARED));
    const [n, payloads, ids, times, ops, keys, keyLengths, headers, previous, life] = values;
    this.#check(life ? DECODER.decode(life) : null);
    // Nothing but `n` is given at the end of a phase.
    if (payloads === null) return null;
    return decodePage({ n, payloads, ids, times, ops, keys, keyLengths, headers, previous } as PageRow);
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw queryError(error);
    }
  }

  #check(life: string | null): void {
    if (life !== this.#life) throw new SourceError(ANOTHER_LIFE);
  }
}

interface MarkRow {
  readonly snapshot: string;
  readonly topId: string;
  readonly nextXid: string;
  readonly life: string | null;
}

const DECODER = new TextDecoder();

/** Parsed once for each connection. */
const PREPARED = { prepare: true };
