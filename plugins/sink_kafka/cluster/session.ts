/**
 * How long a broker believes a connection who it is (KIP-368), and what is done before that is over.
 *
 * Four fifths of the time after the broker was shown something, it is shown something again. As long as there is nothing to show, because
 * whoever gives it out cannot be reached, the connection serves on, until shortly before the broker would cut it: then it is
 * to be given up in order, so that no request is left without an answer.
 *
 * @module
 */

import { type Clock, pauseMs } from "../clock.ts";

/** Which part of the time is over when the broker is shown something again: between these two, not for all connections at once. */
const RENEW_FROM = 0.75;
const RENEW_TO = 0.85;

/** Which part of it may be used at all. */
const END_AT = 0.95;

/** Brokers refuse to be shown something again within a second. */
const RENEW_MIN_MS = 1_100;

/** The first pause after an attempt in vain, and the longest, in milliseconds. */
const PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 30_000;

/** The longest time that timers take, in milliseconds. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** What a session needs. */
export interface SessionPorts {
  readonly clock: Clock;
  /** Get something to show. Rejects when there is nothing now. */
  readonly prepare: () => Promise<void>;
  /** Show it; whatever comes of it, {@link Session.begin} or {@link Session.stop} is called. */
  readonly renew: () => void;
  /** The connection must not be used any more. */
  readonly onEnd: () => void;
}

/** A broker's belief in a connection. */
export class Session {
  readonly #ports: SessionPorts;
  #endAtMs = Infinity;
  #failures = 0;
  /** Counts what was begun and stopped: what was started before that has lost its reason. */
  #turn = 0;
  #callOff: (() => void) | undefined;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  /** The broker believes it, from now on for so many milliseconds; 0 is for ever. */
  begin(lifetimeMs: number): void {
    this.stop();
    if (!(lifetimeMs > 0)) return;
    const { clock } = this.#ports;
    const lifeMs = Math.min(lifetimeMs, TIMER_MAX_MS);
    this.#endAtMs = clock.monotonicMs() + lifeMs * END_AT;
    this.#failures = 0;
    this.#later(Math.max(RENEW_MIN_MS, lifeMs * (RENEW_FROM + (RENEW_TO - RENEW_FROM) * clock.random())));
  }

  /** Nothing is to be done any more: the connection is closed. */
  stop(): void {
    this.#turn++;
    this.#callOff?.();
    this.#callOff = undefined;
  }

  /** Renew after so many milliseconds, if that is early enough; else end. */
  #later(ms: number): void {
    const { clock, onEnd } = this.#ports;
    const leftMs = this.#endAtMs - clock.monotonicMs();
    const inTime = ms < leftMs;
    this.#callOff = clock.after(Math.max(0, Math.min(ms, leftMs)), () => {
      this.#callOff = undefined;
      if (inTime) this.#renew();
      else onEnd();
    });
  }

  #renew(): void {
    const { clock, prepare, renew, onEnd } = this.#ports;
    const turn = this.#turn;
    // Getting something to show may take longer than there is time.
    this.#callOff = clock.after(this.#endAtMs - clock.monotonicMs(), () => {
      this.#turn++;
      onEnd();
    });
    const settled = (then: () => void) => () => {
      if (turn !== this.#turn) return;
      this.#callOff?.();
      this.#callOff = undefined;
      then();
    };
    prepare().then(
      settled(renew),
      settled(() => this.#later(pauseMs(PAUSE_MS, PAUSE_MAX_MS, this.#failures++, clock))),
    );
  }
}
