/**
 * Keeps a lease alive, and knows when it is lost.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import { within } from "../base/within.ts";
import type { Lease } from "./mod.ts";

/**
 * Renews a lease every third of its time. The lease is lost when another relay has taken it, or when it could not be
 * renewed for its whole time: then another relay may have taken it, whatever the reason of the silence. Fencing does
 * not depend on this: it only stops work early that could not be saved anyway.
 */
export class LeaseKeeper {
  readonly #lease: Lease;
  readonly #epoch: number;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(lease: Lease, epoch: number, leaseMs: number, clock: Clock) {
    this.#lease = lease;
    this.#epoch = epoch;
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    this.#running = this.#run();
  }

  /** Aborts when the lease is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Stop renewing, and give the lease up unless it is lost. A database that does not answer lets it expire. */
  async release(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#lost.signal.aborted) return;
    await within(this.#clock, LIMITS.shutdownMs, this.#lease.release(this.#epoch).catch(() => {}));
  }

  /** The lease is known to be lost: a write was fenced. */
  lose(): void {
    this.#lost.abort();
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    let renewedMs = this.#clock.monotonic();
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(this.#leaseMs / 3, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const askedMs = this.#clock.monotonic();
      const renewed = await this.#renew(renewedMs + this.#leaseMs - askedMs);
      if (this.#stop.signal.aborted) return;
      if (renewed) renewedMs = askedMs;
      if (renewed === false || this.#clock.monotonic() - renewedMs >= this.#leaseMs) this.lose();
    }
  }

  /** Renew within `withinMs`; `null` when the database did not answer, or the answer does not matter any more. */
  async #renew(withinMs: number): Promise<boolean | null> {
    const answered = new AbortController();
    const settled = AbortSignal.any([answered.signal, this.#stop.signal]);
    const deadline = this.#clock.sleep(Math.max(0, withinMs), settled).then(() => null);
    const renewal = this.#lease.renew(this.#epoch, this.#leaseMs).catch(() => null);
    const renewed = await Promise.race([renewal, deadline]);
    answered.abort();
    return renewed;
  }
}
