/**
 * Notifications of one channel, as something to wait for.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/**
 * Counts the notifications of a channel. They are hints: where LISTEN is refused, or accepted by a pooler that then delivers nothing,
 * waits last their full time and everything works by polling.
 */
export class NotificationChannel {
  readonly #clock: Clock;
  readonly #waiting = new Set<AbortController>();
  readonly #callbacks = new Set<() => void>();
  #count = 0;
  #settled: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many have arrived. */
  get count(): number {
    return this.#count;
  }

  /** Resolves when LISTEN was answered, one way or the other. */
  get settled(): Promise<unknown> {
    return this.#settled;
  }

  /** Begin to listen, with a function that executes LISTEN. */
  listen(begin: (notify: () => void) => Promise<unknown>): void {
    this.#settled = begin(() => this.#notify()).catch(() => {});
  }

  /** Wait until more than `seen` notifications have arrived, `ms` have passed, or `signal` aborts. Returns the count. */
  async wait(seen: number, ms: number, signal: AbortSignal): Promise<number> {
    if (this.#count > seen || signal.aborted) return this.#count;
    const woken = new AbortController();
    this.#waiting.add(woken);
    const abort = () => woken.abort();
    signal.addEventListener("abort", abort, { once: true });
    await this.#clock.sleep(ms, woken.signal);
    signal.removeEventListener("abort", abort);
    this.#waiting.delete(woken);
    return this.#count;
  }

  /** Call `callback` at each notification; returns what ends that. */
  subscribe(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => void this.#callbacks.delete(callback);
  }

  #notify(): void {
    this.#count++;
    for (const woken of this.#waiting) woken.abort();
    for (const callback of this.#callbacks) callback();
  }
}
