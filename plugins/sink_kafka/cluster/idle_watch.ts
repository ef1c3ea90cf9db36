/**
 * Notices that a connection has not been used for a while: whatever forgets it on its way (a firewall, NAT, a load balancer) tells
 * nobody, and the next request would wait for its timeout. Knows as well for how long a broker has owed an answer: it may hang.
 *
 * @module
 */

import type { Clock } from "../clock.ts";

/** Watches one connection. */
export class IdleWatch {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  /** Requests that are not answered. */
  #open = 0;
  #usedAtMs = 0;
  /** When the broker was asked, or last answered, while it owes answers. */
  #owingSinceMs = 0;
  #callOff: (() => void) | undefined;

  /** @param onIdle called once, when nothing was open for `idleMs` */
  constructor(clock: Clock, idleMs: number, onIdle: () => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
  }

  /** Whether a request is not answered. */
  get busy(): boolean {
    return this.#open > 0;
  }

  /** For how long the broker has owed answers and given none, in milliseconds. */
  get silentMs(): number {
    return this.busy ? this.#clock.monotonicMs() - this.#owingSinceMs : 0;
  }

  /** Watch from now on. */
  start(): void {
    this.#usedAtMs = this.#clock.monotonicMs();
    this.#lookIn(this.#idleMs);
  }

  /** A request begins. */
  begin(): void {
    if (this.#open++ === 0) this.#owingSinceMs = this.#clock.monotonicMs();
  }

  /** A request has ended. */
  end(): void {
    this.#open--;
    this.#usedAtMs = this.#owingSinceMs = this.#clock.monotonicMs();
  }

  /** Watch no longer. */
  stop(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #lookIn(ms: number): void {
    this.#callOff = this.#clock.after(Math.ceil(ms), () => {
      this.#callOff = undefined;
      const leftMs = this.busy ? this.#idleMs : this.#usedAtMs + this.#idleMs - this.#clock.monotonicMs();
      if (leftMs <= 0) this.#onIdle();
      else this.#lookIn(leftMs);
    });
  }
}
