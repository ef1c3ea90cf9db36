/**
 * Readers of an outbox with marks of several kinds: the right ones, and two that lose messages.
 *
 * @module
 */

import type postgres from "postgres";
import { textAt } from "@pg-tide/sdk";
import { SYSTEM_CLOCK } from "../../../src/base/clock.ts";
import type { Database } from "../../../src/pg/database.ts";
import { PostgresPageSource } from "../../../src/pg/page_source.ts";
import type { PageLimit, PageSource, Start } from "../../../src/read/mod.ts";
import { Reader } from "../../../src/read/reader.ts";
import type { Page } from "../../../src/record/page.ts";
import type { Mark, Position, Window } from "../../../src/record/position.ts";
import type { Received } from "../../support/published.ts";
import { ZERO } from "./positions.ts";

/** How a mark is taken. */
export type Marking = () => Promise<Mark>;

/** What `tide.mark` works out, without its guards. @param behind what is added when age() is behind the snapshot's end */
function unguardedMark(behind: number): string {
  return `
  SELECT s::text AS snapshot, t::int AS "topId", (n + CASE WHEN n < x THEN ${behind} ELSE 0 END)::text AS "nextXid" FROM (
    SELECT s, t, x, (x & ~4294967295::bigint) | ((age('3'::xid)::bigint + 3) & 4294967295) AS n FROM (
      SELECT s, coalesce(pg_sequence_last_value('tide.id_1'), 0) AS t, pg_snapshot_xmax(s)::text::bigint AS x
      FROM pg_current_snapshot() s OFFSET 0) a OFFSET 0) b`;
}

/** As `tide.mark` does: a value that is behind is taken for one after a wraparound, and bounds nothing. */
export const EXACT_MARK = unguardedMark(2 ** 32);

/** The canary that takes the snapshot's end for the next transaction id. */
export function marksWithoutNextXid(sql: postgres.Sql): Marking {
  return async () => {
    const [row] = await sql<{ snapshot: string; topId: number }[]>`
      SELECT s::text AS snapshot, coalesce(pg_sequence_last_value('tide.id_1'), 0)::int AS "topId" FROM pg_current_snapshot() s`;
    return { ...row!, nextXid: row!.snapshot.split(":")[1]! };
  };
}

/** The canary that takes two marks in one transaction, and believes age() each time. @param sql one connection */
export function marksInPairs(sql: postgres.Sql): Marking {
  let open = false;
  return async () => {
    await sql.unsafe(open ? "SELECT" : "BEGIN");
    const [mark] = await sql.unsafe<Mark[]>(unguardedMark(0));
    if (open) await sql`COMMIT`;
    open = !open;
    return { ...mark! };
  };
}

/** What may differ from reader to reader. */
export interface OutboxReaderOptions {
  /** As `tide.mark` does, unless said. */
  readonly marking?: Marking;
  /** Called behind each page. */
  readonly onPage?: (position: Position) => Promise<void>;
}

/** Reads everything of the outbox with the number 1 into a list, by small pages. */
export class OutboxReader {
  readonly #source: CountedSource;
  readonly #received: Received;
  readonly #onPage: (position: Position) => Promise<void>;
  #reader: Reader;
  #position: Position | null = null;
  #reading: Promise<void>;
  #stopped = false;

  constructor(db: Database, life: string, received: Received, options: OutboxReaderOptions = {}) {
    this.#source = new CountedSource(new PostgresPageSource(db, 1, life), options.marking);
    this.#received = received;
    this.#onPage = options.onPage ?? (() => Promise.resolve());
    this.#reader = this.#open({ lower: ZERO });
    this.#reading = this.#read();
  }

  /** Marks taken so far. When three more have been taken, everything visible before has been handed out. */
  get marks(): number {
    return this.#source.marks;
  }

  /** Drop what was read ahead, and start from the last message that was handed out, as a relay after a restart. */
  async restart(): Promise<void> {
    await this.#reader.stop();
    await this.#reading;
    if (this.#position !== null) {
      this.#reader = this.#open({ position: this.#position });
    }
    this.#reading = this.#read();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#reader.stop();
    await this.#reading;
  }

  #open(start: Start): Reader {
    const limit = { rows: 37, bytes: 100_000 };
    return new Reader({ source: this.#source, clock: SYSTEM_CLOCK, start, pollIntervalMs: 20, limit });
  }

  async #read(): Promise<void> {
    this.#reader.start();
    while (!this.#stopped) {
      const read = await this.#reader.next();
      if (read === undefined) return;
      if (read.page === null) continue;
      const { page, window, phase } = read;
      for (let row = 0; row < page.count; row++) {
        if (row > 0 && page.ids[row]! <= page.ids[row - 1]!) {
          throw new Error("Cannot go on: the ids of a page do not rise");
        }
        this.#received.add(Number(textAt(page.payload, row)));
      }
      this.#position = { window, phase, lastId: page.ids[page.count - 1]! };
      await this.#onPage(this.#position);
    }
  }
}

/** A source with marks of another kind, perhaps. */
class CountedSource implements PageSource {
  readonly #source: PageSource;
  readonly #marking: Marking;
  marks = 0;

  constructor(source: PageSource, marking: Marking = () => source.mark()) {
    this.#source = source;
    this.#marking = marking;
  }

  async mark(): Promise<Mark> {
    const mark = await this.#marking();
    this.marks++;
    return mark;
  }

  stragglers(window: Window, afterId: number, limit: PageLimit): Promise<Page | null> {
    return this.#source.stragglers(window, afterId, limit);
  }

  run(window: Window, afterId: number, limit: PageLimit): Promise<Page | null> {
    return this.#source.run(window, afterId, limit);
  }

  askForWakeup(): ReturnType<PageSource["askForWakeup"]> {
    return this.#source.askForWakeup();
  }

  waitForWakeup(ms: number, signal: AbortSignal): Promise<void> {
    return this.#source.waitForWakeup(ms, signal);
  }
}
