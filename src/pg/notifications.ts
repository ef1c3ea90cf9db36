/**
 * Notifications of the database, as something to wait for.
 *
 * They are hints: where LISTEN is refused, or accepted by a pooler that then delivers nothing, waits last their full time and
 * everything works by polling.
 *
 * @module
 */

import type postgres from "postgres";
import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";

/** Waits between attempts to listen. */
const RELISTEN = { initialMs: 200, maxMs: 10_000 };

/** What the driver tells about the connection that listens. */
export interface ListenHooks {
  readonly onnotify: (channel: string) => void;
  readonly onclose: () => void;
}

/** The notifications of one channel. */
export class NotificationChannel {
  readonly #clock: Clock;
  readonly #waiting = new Set<AbortController>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many have arrived. */
  get count(): number {
    return this.#count;
  }

  /** Wait until more than `seen` notifications have arrived, `ms` have passed, or `signal` aborts. */
  async wait(seen: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#count > seen || signal.aborted) return;
    const woken = new AbortController();
    const abort = () => woken.abort();
    this.#waiting.add(woken);
    signal.addEventListener("abort", abort, { once: true });
    await this.#clock.sleep(ms, woken.signal);
    signal.removeEventListener("abort", abort);
    this.#waiting.delete(woken);
  }

  /** One has arrived, or may have been missed. */
  notify(): void {
    this.#count++;
    for (const woken of this.#waiting) woken.abort();
  }
}

/**
 * Listens on a connection of its own, on every channel that somebody asked for, again after every loss of the connection.
 * Whoever waits is woken then, because notifications were missed.
 */
export class Listener {
  readonly #connect: (hooks: ListenHooks) => postgres.Sql;
  readonly #clock: Clock;
  readonly #channels = new Map<string, NotificationChannel>();
  readonly #listening = new Set<string>();
  readonly #closed = new AbortController();
  #sql: postgres.Sql | null = null;
  #running: Promise<void> | null = null;

  constructor(connect: (hooks: ListenHooks) => postgres.Sql, clock: Clock) {
    this.#connect = connect;
    this.#clock = clock;
  }

  /** Notifications on a channel: the same object for the same name, from now on. */
  channel(name: string): NotificationChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new NotificationChannel(this.#clock);
      this.#channels.set(name, channel);
      this.#start();
    }
    return channel;
  }

  /** Give up the connection. */
  async close(): Promise<void> {
    this.#closed.abort();
    // First the connection: a LISTEN that is not answered fails then.
    await this.#sql?.end({ timeout: 0 });
    await this.#running;
  }

  #start(): void {
    this.#running ??= this.#listen().finally(() => {
      this.#running = null;
      if (!this.#closed.signal.aborted && this.#missing().length > 0) this.#start();
    });
  }

  /** Listen on what is not listened on, for as long as it takes. */
  async #listen(): Promise<void> {
    for (let attempt = 1; this.#missing().length > 0; attempt++) {
      this.#sql ??= this.#connect({
        onnotify: (name) => this.#channels.get(name)?.notify(),
        onclose: () => this.#lost(),
      });
      try {
        for (const name of this.#missing()) {
          await this.#sql.unsafe(`LISTEN "${name}"`);
          this.#listening.add(name);
          this.#channels.get(name)?.notify();
        }
      } catch {
        await this.#clock.sleep(backoffMs(RELISTEN, attempt, this.#clock.random()), this.#closed.signal);
      }
      if (this.#closed.signal.aborted) return;
    }
  }

  #missing(): string[] {
    return [...this.#channels.keys()].filter((name) => !this.#listening.has(name));
  }

  #lost(): void {
    this.#listening.clear();
    if (!this.#closed.signal.aborted) this.#start();
  }
}
