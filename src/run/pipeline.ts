/**
 * A pipeline: from its lease to its sessions, for as long as it is enabled.
 *
 * States: *standby* (another relay holds the lease; asked for again every third of its time), *starting* (lease held: configuration is
 * understood, the outbox checked, plugins opened), *running* (a session is at work), *waiting* (an outage: backoff, then starting again),
 * *blocked* (a person must act: tried again slowly, at once after a change), *stopped* (a broken invariant: only a change or a
 * restart starts it again). A change of the configuration drains the session and starts the next one from the saved position.
 *
 * @module
 */

import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { FencedError, messageOf, UserError } from "../base/errors.ts";
import { InvariantError } from "../base/invariant.ts";
import { LIMITS } from "../base/limits.ts";
import type { Logger } from "../base/telemetry.ts";
import { type DeliveryState, stateOf } from "../record/state.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import type {
  OpenedPlugins,
  PipelineReport,
  PipelineSpec,
  PipelineStore,
  Prepared,
  Preparer,
} from "./mod.ts";
import { Session } from "./session.ts";

/** What a pipeline needs. */
export interface PipelineOptions {
  readonly spec: PipelineSpec;
  readonly store: PipelineStore;
  readonly preparer: Preparer;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a lease lasts without renewal, in milliseconds. */
  readonly leaseMs: number;
  /** How long a stop waits for the sink, in milliseconds. */
  readonly drainMs: number;
}

/** How a pipeline waits for its database or plugins to come back. */
const REOPEN = { initialMs: 200, maxMs: 10_000 };

type Plugins = Exclude<OpenedPlugins, { readonly fault: unknown }>;

/** One enabled pipeline. */
export class Pipeline {
  readonly #options: PipelineOptions;
  #spec: PipelineSpec;
  readonly #stop = new AbortController();
  /** Aborted, and replaced, when the configuration changes. */
  #change = new AbortController();
  #running: Promise<void> | null = null;
  #reported = "";
  #troubles = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#spec = options.spec;
  }

  /** The configuration that is in force or being put in force. */
  get spec(): PipelineSpec {
    return this.#spec;
  }

  /** Start working. */
  start(): void {
    this.#running = this.#run();
  }

  /** Put a changed configuration in force: drain, then go on with it. */
  update(spec: PipelineSpec): void {
    this.#spec = spec;
    this.#change.abort();
  }

  /** Drain, save, give up the lease. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { store, clock, leaseMs, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      const epoch = await this.#acquire();
      if (epoch === null) continue;
      const keeper = new LeaseKeeper(store.lease, epoch, leaseMs, clock);
      log.debug("Lease taken", { epoch });
      await this.#hold(epoch, keeper);
      await keeper.release();
      this.#reported = "";
    }
  }

  async #acquire(): Promise<number | null> {
    const { store, leaseMs, clock, log } = this.#options;
    try {
      const epoch = await store.lease.tryAcquire(leaseMs);
      if (epoch !== null) return epoch;
    } catch (error) {
      log.debug("Cannot ask for the lease", { error: messageOf(error) });
    }
    await clock.sleep(leaseMs / 3, this.#stop.signal);
    return null;
  }

  async #hold(epoch: number, keeper: LeaseKeeper): Promise<void> {
    while (!this.#stop.signal.aborted && !keeper.lost.aborted) {
      this.#change = new AbortController();
      const interrupt = AbortSignal.any([this.#stop.signal, this.#change.signal, keeper.lost]);
      try {
        await this.#attempt(epoch, keeper, interrupt);
      } catch (error) {
        if (error instanceof FencedError) keeper.lose();
        else await this.#pauseAfter(epoch, error, interrupt);
      }
    }
  }

  /** One life of the configuration: prepared, opened, run until something interrupts it or throws. */
  async #attempt(epoch: number, keeper: LeaseKeeper, interrupt: AbortSignal): Promise<void> {
    const { store, preparer } = this.#options;
    await this.#report(epoch, { state: "starting", code: null, reason: null, advice: null }, "quiet");
    const spec = this.#spec;
    const prepared = await preparer.prepare(spec);
    const outbox = await store.openOutbox(spec, epoch);
    const plugins = await this.#openPlugins(epoch, prepared, interrupt);
    if (plugins === null) return;
    const session = new Session({
      ...prepared,
      ...outbox,
      sink: plugins.sink,
      format: plugins.format,
      clock: this.#options.clock,
      onState: (state) => void this.#report(epoch, reportOf(state)),
    });
    try {
      session.start();
      await this.#report(epoch, { state: "running", code: null, reason: null, advice: null });
      await this.#attend(session, keeper, interrupt);
    } finally {
      await session.abort();
      await plugins.close();
    }
  }

  /** Wait for what ends the session; drains it when the end is orderly. */
  async #attend(session: Session, keeper: LeaseKeeper, interrupt: AbortSignal): Promise<void> {
    const ended = session.ended.then((error) => ({ error }));
    const cause = await Promise.race([ended, aborted(interrupt).then(() => null)]);
    const counts = session.counts;
    if (counts.delivered > 0) this.#troubles = 0;
    if (cause !== null) throw cause.error;
    if (keeper.lost.aborted) {
      this.#options.log.warn("Lease lost: another relay may go on from the saved position");
      return;
    }
    const drained = await session.drain(this.#options.drainMs);
    if (!drained) {
      this.#options.log.warn(
        "Stopped before everything read was delivered; it is delivered by the next session",
      );
    }
  }

  /** Open sink and format; waits out their faults. `null` when interrupted. */
  async #openPlugins(epoch: number, prepared: Prepared, interrupt: AbortSignal): Promise<Plugins | null> {
    for (let attempt = 1; !interrupt.aborted; attempt++) {
      const opened = await prepared.open();
      if (!("fault" in opened)) return opened;
      await this.#report(epoch, reportOf(stateOf(opened.fault)));
      const { clock } = this.#options;
      const jittered = backoffMs(REOPEN, attempt, clock.random());
      const leastMs = opened.fault.kind === "configuration" ? LIMITS.blockedRetryMs : 0;
      await clock.sleep(Math.max(jittered, leastMs), interrupt);
    }
    return null;
  }

  async #pauseAfter(epoch: number, error: unknown, interrupt: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const report = reportOfError(error);
    await this.#report(epoch, report);
    if (report.state === "stopped") await aborted(interrupt);
    else if (report.state === "blocked") await clock.sleep(LIMITS.blockedRetryMs, interrupt);
    else await clock.sleep(backoffMs(REOPEN, ++this.#troubles, clock.random()), interrupt);
  }

  /** Make a state known once, in the log and in the database; a database that is away learns of the next one. */
  async #report(epoch: number, report: PipelineReport, loudness: "loud" | "quiet" = "loud"): Promise<void> {
    const key = JSON.stringify(report);
    if (key === this.#reported) return;
    this.#reported = key;
    if (loudness === "loud") this.#log(report);
    await this.#options.store.report(epoch, report).catch((error) => {
      this.#options.log.debug("Cannot report the state", { error: messageOf(error) });
      this.#reported = "";
    });
  }

  #log(report: PipelineReport): void {
    const { log } = this.#options;
    const { state, code, reason, advice } = report;
    const fields = { ...(code && { code }), ...(reason && { reason }), ...(advice && { advice }) };
    if (state === "waiting") log.warn("Waiting", fields);
    else if (state === "blocked" || state === "stopped") {
      log.error(state === "blocked" ? "Blocked" : "Stopped", fields);
    } else log.info("Running", fields);
  }
}

function reportOf(state: DeliveryState): PipelineReport {
  return { code: null, reason: null, advice: null, ...state };
}

function reportOfError(error: unknown): PipelineReport {
  const reason = messageOf(error);
  if (error instanceof UserError) return { state: "blocked", code: error.code, reason, advice: error.advice };
  if (error instanceof InvariantError) {
    const advice =
      "This is a bug in pg-tide. Nothing was saved after it. Please report it; restart the relay to go on.";
    return { state: "stopped", code: "INVARIANT", reason, advice };
  }
  return { state: "waiting", code: "POSTGRES_UNAVAILABLE", reason, advice: null };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
