/**
 * Something that expires and is renewed in good time, for as many as want it at once.
 *
 * It is renewed when somebody wants it and four fifths of its life are over, so that nothing is asked for in vain. While it cannot
 * be renewed it serves to its end, and whoever gives it out is asked again after growing pauses only, however many want it.
 *
 * @module
 */

import { FaultError } from "@pg-tide/sdk";
import { type Clock, pauseMs } from "../clock.ts";

/** Something that is good for a while. */
export interface Perishable {
  /** On the monotonic clock; infinite for what does not expire. */
  readonly expiresAtMs: number;
}

/** The first pause after a failure, and the longest, in milliseconds. */
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 5_000;

/** How long a new one is waited for while the old one is good, in milliseconds. */
const PATIENCE_MS = 1_000;

/** Which part of its life is over when it is renewed: between these two, so that not all relays come at once. */
const RENEW_FROM = 0.75;
const RENEW_TO = 0.85;

/** What remains of its life must be enough to get it to a broker: this part, but no more than so many milliseconds. */
const LAST_PART = 0.05;
const LAST_PART_MAX_MS = 5_000;

/** Something that expires, and is renewed. */
export class Renewed<T extends Perishable> {
  readonly #obtain: () => Promise<T>;
  readonly #clock: Clock;
  #held: T | undefined;
  #renewAtMs = 0;
  /** Until when it serves. */
  #goodUntilMs = 0;
  #obtaining: Promise<T> | undefined;
  #failure: unknown;
  #failures = 0;
  /** Nobody is asked before this time. */
  #pausedUntilMs = 0;

  constructor(obtain: () => Promise<T>, clock: Clock) {
    this.#obtain = obtain;
    this.#clock = clock;
  }

  /** One that is good. Rejects with why none is to be had. */
  async get(): Promise<T> {
    const held = this.#held;
    const nowMs = this.#clock.monotonicMs();
    if (held === undefined || nowMs >= this.#goodUntilMs) return await this.#renew();
    return nowMs < this.#renewAtMs ? held : await this.#renewOr(held);
  }

  /** Do not give this one again: it was refused. */
  forget(refused: T): void {
    if (this.#held === refused) this.#held = undefined;
  }

  /** A new one, or this one if that cannot be had at once. */
  async #renewOr(held: T): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const callOff = this.#clock.after(PATIENCE_MS, () => resolve(held));
    this.#renew().then(resolve, () => resolve(held));
    return await promise.finally(callOff);
  }

  async #renew(): Promise<T> {
    if (this.#obtaining === undefined) {
      if (this.#clock.monotonicMs() < this.#pausedUntilMs) throw this.#failure;
      this.#obtaining = this.#obtainOnce().finally(() => this.#obtaining = undefined);
    }
    return await this.#obtaining;
  }

  async #obtainOnce(): Promise<T> {
    const clock = this.#clock;
    const askedAtMs = clock.monotonicMs();
    try {
      const obtained = await this.#obtain();
      const lifeMs = Math.max(0, obtained.expiresAtMs - askedAtMs);
      this.#renewAtMs = askedAtMs + lifeMs * (RENEW_FROM + (RENEW_TO - RENEW_FROM) * clock.random());
      this.#goodUntilMs = obtained.expiresAtMs - Math.min(LAST_PART_MAX_MS, LAST_PART * lifeMs);
      this.#failures = 0;
      this.#held = obtained;
      return obtained;
    } catch (error) {
      this.#failure = error;
      const longMs = Math.max(pauseMs(PAUSE_MS, PAUSE_MAX_MS, this.#failures++, clock), askedPauseMs(error));
      this.#pausedUntilMs = clock.monotonicMs() + longMs;
      throw error;
    }
  }
}

/** The pause that whoever was asked has asked for. */
function askedPauseMs(error: unknown): number {
  return error instanceof FaultError && error.fault.kind === "unavailable"
    ? error.fault.retryAfterMs ?? 0
    : 0;
}
