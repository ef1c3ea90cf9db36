/**
 * The read stage's port, over PostgreSQL.
 *
 * @module
 */

import { LIMITS } from "../base/limits.ts";
import { type PageLimit, type PageSource, SourceError } from "../read/mod.ts";
import type { Page } from "../record/page.ts";
import type { Mark, Window } from "../record/position.ts";
import type { Database } from "./database.ts";
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
  readonly #incarnation: number;
  readonly #readRun: string;
  readonly #readStragglers: string;
  readonly #channel: NotificationChannel;
  #seen: number;
  /** Until when publishers were asked to notify, on the relay's clock. */
  #askedUntilMs = -Infinity;

  /** @param incarnation of the database when the session began: marks die with the connections of that time */
  constructor(db: Database, outbox: number, incarnation: number) {
    this.#db = db;
    this.#outbox = outbox;
    this.#incarnation = incarnation;
    this.#readRun = READ_RUN.replace("tide.read_run_{outbox}", `tide.read_run_${outbox}`);
    this.#readStragglers = READ_STRAGGLERS.replace(
      "tide.read_stragglers_{outbox}",
      `tide.read_stragglers_${outbox}`,
    );
    this.#channel = db.channel(`tide_${outbox}`);
    this.#seen = this.#channel.count;
  }

  async mark(): Promise<Mark> {
    const [row] = await this.#query(() =>
      this.#db.sql.unsafe<{ snapshot: string; topId: string; nextXid: string }[]>(
        MARK,
        [this.#outbox],
        PREPARED,
      )
    );
    const { snapshot, topId, nextXid } = row!;
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
    if (nowMs + LIMITS.wakeupMs / 2 < this.#askedUntilMs) return false;
    await this.#query(() => this.#db.sql.unsafe(ASK_FOR_WAKEUP, [this.#outbox, LIMITS.wakeupMs], PREPARED));
    this.#askedUntilMs = nowMs + LIMITS.wakeupMs;
    return true;
  }

  async waitForWakeup(ms: number, signal: AbortSignal): Promise<void> {
    // Publishers notify until the deadline only.
    const askedMs = Math.max(0, this.#askedUntilMs - this.#db.clock.monotonic());
    await this.#channel.wait(this.#seen, Math.min(ms, askedMs), signal);
    this.#seen = this.#channel.count;
  }

  async #page(statement: string, parameters: (string | number)[]): Promise<Page | null> {
    const rows = await this.#query(() => this.#db.sql.unsafe(statement, parameters, PREPARED).raw());
    const [n, payloads, ids, times, ops, keys, keyLengths, headers, previous] =
      rows[0] as (Uint8Array | null)[];
    // Nothing but `n` is given at the end of a phase.
    if (payloads === null || payloads === undefined) return null;
    return decodePage({ n, payloads, ids, times, ops, keys, keyLengths, headers, previous } as PageRow);
  }

  async #query<T>(run: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await run();
    } catch (error) {
      throw queryError(error);
    }
    if (this.#db.incarnation !== this.#incarnation) {
      throw new SourceError("The connection to PostgreSQL was lost");
    }
    return result;
  }
}

/** Parsed once for each connection. */
const PREPARED = { prepare: true };
