/**
 * A clock that jumps: time passes only when nothing else can happen.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock } from "../../src/base/clock.ts";

interface Sleeper {
  readonly atMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** A virtual clock with a seeded random generator. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #sleepers: Sleeper[] = [];
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed >>> 0;
  }

  now(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  /** mulberry32: the same numbers for the same seed. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0;
    let t = this.#seed;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
      const forget = () => this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
      function wake(): void {
        forget();
        signal?.removeEventListener("abort", wake);
        resolve();
      }
    });
  }

  /**
   * Let time pass until `promise` settles.
   *
   * @throws {Error} when nothing is left that could settle it, or `maxMs` of virtual time have passed
   */
  async run<T>(promise: Promise<T>, maxMs = 3_600_000): Promise<T> {
    const startMs = this.#nowMs;
    let settled = false;
    const mark = () => void (settled = true);
    promise.then(mark, mark);
    for (let idle = 0; !settled;) {
      await new Promise<void>((resolve) => setImmediate(() => resolve()));
      if (settled) break;
      if (this.#step()) idle = 0;
      else if (++idle > 200) throw new Error("Stuck: nothing sleeps and nothing happens");
      if (this.#nowMs - startMs > maxMs) throw new Error(`Not settled after ${maxMs} ms of virtual time`);
    }
    return await promise;
  }

  /** Wake the next sleeper. */
  #step(): boolean {
    if (this.#sleepers.length === 0) return false;
    const next = this.#sleepers.reduce((a, b) =>
      b.atMs < a.atMs || (b.atMs === a.atMs && b.order < a.order) ? b : a
    );
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.wake();
    return true;
  }
}
