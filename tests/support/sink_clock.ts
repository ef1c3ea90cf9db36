/**
 * The Kafka sink's clock, on which a test lets time pass.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock } from "../../plugins/sink_kafka/clock.ts";

interface Appointment {
  readonly atMs: number;
  readonly call: () => void;
}

/** A clock that stands still until {@link SinkClock.pass}; its chance is always the middle. */
export class SinkClock implements Clock {
  #nowMs = 0;
  #appointments: Appointment[] = [];

  /** How many calls it owes. */
  get appointments(): number {
    return this.#appointments.length;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  random(): number {
    return 0.5;
  }

  after(ms: number, call: () => void): () => void {
    const appointment = { atMs: this.#nowMs + ms, call };
    this.#appointments.push(appointment);
    return () => this.#appointments = this.#appointments.filter((one) => one !== appointment);
  }

  /** Let time pass, and everything happen that is due by then. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#appointments.splice(this.#appointments.indexOf(next), 1);
      this.#nowMs = next.atMs;
      next.call();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Appointment | undefined {
    const due = this.#appointments.filter(({ atMs }) => atMs <= endMs);
    return due.toSorted((one, other) => one.atMs - other.atMs)[0];
  }
}

/** Lets promises run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
