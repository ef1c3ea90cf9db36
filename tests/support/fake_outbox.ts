/**
 * An outbox in memory, with transactions that stay open and become visible late.
 *
 * @module
 */

import type { PageLimit, PageSource } from "../../src/read/mod.ts";
import type { Page } from "../../src/record/page.ts";
import type { Mark, Window } from "../../src/record/position.ts";
import type { Clock } from "../../src/base/clock.ts";
import { pageOf } from "./pages.ts";

interface Row {
  readonly id: number;
  readonly xid: number;
}

interface Snapshot {
  readonly xmax: number;
  readonly open: ReadonlySet<number>;
}

/** Transactions draw ids while open; their rows are visible in snapshots taken after they committed. */
export class FakeOutbox implements PageSource {
  readonly #clock: Clock;
  #nextXid = 10;
  #topId = 0;
  #rows: Row[] = [];
  readonly #open = new Set<number>();
  #wake: (() => void) | null = null;
  #notified = false;
  #listening = false;
  marks = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begin a transaction; returns its xid. */
  begin(): number {
    const xid = this.#nextXid++;
    this.#open.add(xid);
    return xid;
  }

  /** Publish in an open transaction; returns the id. */
  publish(xid: number): number {
    const id = ++this.#topId;
    this.#rows.push({ id, xid });
    return id;
  }

  /** Commit: everything published becomes visible. */
  commit(xid: number): void {
    this.#open.delete(xid);
    this.#notified = true;
    if (this.#listening) this.#wake?.();
  }

  /** Roll back: nothing published ever becomes visible. */
  rollback(xid: number): void {
    this.#rows = this.#rows.filter((row) => row.xid !== xid);
    this.#open.delete(xid);
  }

  async mark(): Promise<Mark> {
    await this.#clock.sleep(1);
    this.marks++;
    const xmin = Math.min(this.#nextXid, ...this.#open);
    const xip = [...this.#open].sort((a, b) => a - b).join(",");
    return {
      snapshot: `${xmin}:${this.#nextXid}:${xip}`,
      topId: this.#topId,
      nextXid: String(this.#nextXid),
    };
  }

  stragglers(window: Window, afterId: number, limit: PageLimit): Promise<Page | null> {
    return this.#page(window, (row) => row.id > afterId && row.id <= window.lower.topId, limit);
  }

  run(window: Window, afterId: number, limit: PageLimit): Promise<Page | null> {
    return this.#page(window, (row) => row.id > afterId && row.id <= window.upper.topId, limit);
  }

  askForWakeup(): Promise<boolean> {
    const asked = !this.#listening;
    this.#listening = true;
    return Promise.resolve(asked);
  }

  async waitForWakeup(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#notified) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await this.#clock.sleep(ms, AbortSignal.any([signal, woken.signal]));
    }
    this.#notified = false;
    this.#wake = null;
  }

  async #page(window: Window, inRange: (row: Row) => boolean, limit: PageLimit): Promise<Page | null> {
    await this.#clock.sleep(1);
    const lower = parse(window.lower.snapshot);
    const upper = parse(window.upper.snapshot);
    const ids = this.#rows.filter((row) => inRange(row) && visible(row, upper) && !visible(row, lower))
      .map((row) => row.id).sort((a, b) => a - b).slice(0, limit.rows);
    return ids.length === 0 ? null : pageOf(ids);
  }
}

function parse(snapshot: string): Snapshot {
  const [, xmax, open] = snapshot.split(":");
  return { xmax: Number(xmax), open: new Set(open === "" ? [] : open!.split(",").map(Number)) };
}

function visible(row: Row, snapshot: Snapshot): boolean {
  return row.xid < snapshot.xmax && !snapshot.open.has(row.xid);
}
