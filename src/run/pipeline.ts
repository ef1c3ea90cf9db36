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
import { FileWatch } from "./file_watch.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import { LoggedDeadLetters } from "./logged_dead_letters.ts";
import type {
  PipelineReport,
  PipelineSpec,
  PipelineStore,
  Plugins,
  Prepared,
  Preparer,
  Warning,
} from "./mod.ts";
import { Session } from "./session.ts";
import { StateReporter } from "./state_reporter.ts";

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

const STARTING: PipelineReport = { state: "starting", code: null, reason: null, advice: null };
const RUNNING: PipelineReport = { state: "running", code: null, reason: null, advice: null };

/** A configuration and the plugins that were opened with it. */
interface Opened {
  readonly prepared: Prepared;
  readonly plugins: Plugins;
}

/** While the lease is held: what its parts share. */
interface Term {
  readonly epoch: number;
  readonly keeper: LeaseKeeper;
  readonly reporter: StateReporter;
}

/** One enabled pipeline. */
export class Pipeline {
  readonly #options: PipelineOptions;
  #spec: PipelineSpec;
  readonly #stop = new AbortController();
  /** Aborted, and replaced, when the configuration changes. */
  #change = new AbortController();
  /** Aborted when what is waited for may be there; replaced when something is waited for. */
  #hope = new AbortController();
  #running: Promise<void> | null = null;
  #session: Session | null = null;
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

  /** The lease may be free, and the database may be back: whoever waits for them tries again now. */
  poke(): void {
    this.#hope.abort();
  }

  /** Somebody waits for dead letters to be sent again. Whoever has no session is told again when it has one. */
  resend(): void {
    this.#session?.resend();
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
      log.debug("Lease taken", { epoch });
      const keeper = new LeaseKeeper(store.lease, epoch, leaseMs, clock);
      const reporter = new StateReporter({ store, epoch, clock, log });
      await this.#hold({ epoch, keeper, reporter });
      reporter.end();
      await keeper.release();
    }
  }

  async #acquire(): Promise<number | null> {
    const { store, leaseMs, clock, log } = this.#options;
    // Before the question, so that no news after it is missed.
    this.#hope = new AbortController();
    try {
      const epoch = await store.lease.tryAcquire(leaseMs);
      if (epoch !== null) return epoch;
    } catch (error) {
      log.debug("Cannot ask for the lease", { error: messageOf(error) });
    }
    await clock.sleep(leaseMs / 3, AbortSignal.any([this.#stop.signal, this.#hope.signal]));
    return null;
  }

  async #hold(term: Term): Promise<void> {
    const { keeper, reporter } = term;
    reporter.tell(STARTING);
    while (!this.#stop.signal.aborted && !keeper.lost.aborted) {
      // A trouble stays in sight while the same configuration is tried again.
      if (this.#change.signal.aborted) reporter.tell(STARTING);
      this.#change = new AbortController();
      const interrupt = AbortSignal.any([this.#stop.signal, this.#change.signal, keeper.lost]);
      try {
        await this.#attempt(term, interrupt);
      } catch (error) {
        if (error instanceof FencedError) this.#lose(keeper);
        else await this.#pauseAfter(error, reporter, interrupt);
      }
    }
  }

  /** One life of the configuration: prepared, opened, run until something interrupts it or throws. */
  async #attempt(term: Term, interrupt: AbortSignal): Promise<void> {
    const { store, preparer, clock, log } = this.#options;
    const spec = this.#spec;
    const first = await preparer.prepare(spec);
    const outbox = await store.openOutbox(spec, term.epoch);
    const opened = await this.#openPlugins(first, spec, term.reporter, interrupt);
    if (opened === null) return;
    const { prepared, plugins } = opened;
    const session = new Session({
      ...prepared,
      ...outbox,
      deadLetters: new LoggedDeadLetters(outbox.deadLetters, clock, log),
      sink: plugins.sink,
      format: plugins.format,
      clock,
      onState: (state) => term.reporter.tell(reportOf(state)),
    });
    const renewal = new AbortController();
    const watching = new AbortController();
    try {
      term.reporter.warn(warningOf(plugins));
      term.reporter.tell(RUNNING);
      session.start();
      this.#session = session;
      this.#watch(opened, session, term.reporter, watching.signal, () => renewal.abort()).catch((error) => {
        log.error("Cannot watch the configuration's files", { error: messageOf(error) });
      });
      await this.#attend(session, term.keeper, AbortSignal.any([interrupt, renewal.signal]));
    } finally {
      this.#session = null;
      watching.abort();
      await session.abort();
      await plugins.close();
    }
  }

  /** Watch the files that the configuration names, if it names any. @param renew called when a new session must begin */
  async #watch(
    { prepared, plugins }: Opened,
    session: Session,
    reporter: StateReporter,
    signal: AbortSignal,
    renew: () => void,
  ): Promise<void> {
    const { clock, log } = this.#options;
    const { readings, reread } = prepared;
    if (reread === null) return;
    const watch = new FileWatch({
      readings,
      reread,
      offer: (fields) => plugins.reconfigure(fields),
      onTaken: () => session.poke(),
      onWarning: (warning) => reporter.warn(warning ?? warningOf(plugins)),
      clock,
      log,
    });
    if (await watch.run(signal)) renew();
  }

  /** Wait for what ends the session; drains it when the end is orderly. */
  async #attend(session: Session, keeper: LeaseKeeper, interrupt: AbortSignal): Promise<void> {
    const { clock, log, drainMs } = this.#options;
    const startedMs = clock.monotonic();
    const ended = session.ended.then((error) => ({ error }));
    const cause = await Promise.race([ended, aborted(interrupt).then(() => null)]);
    if (session.counts.delivered > 0 || clock.monotonic() - startedMs >= REOPEN.maxMs) this.#troubles = 0;
    if (cause !== null) throw cause.error;
    if (keeper.lost.aborted) return this.#lose(keeper);
    const drained = await session.drain(drainMs);
    if (session.failure !== null) throw session.failure.error;
    if (!drained) {
      log.warn("Stopped before everything read was delivered; it is delivered by the next session");
    }
  }

  #lose(keeper: LeaseKeeper): void {
    keeper.lose();
    this.#options.log.warn("Lease lost: another relay may go on from the saved position");
  }

  /**
   * Open sink and format; waits out their faults, and then reads again what their configuration names: the cure may lie in a
   * file. `null` when interrupted.
   */
  async #openPlugins(
    first: Prepared,
    spec: PipelineSpec,
    reporter: StateReporter,
    interrupt: AbortSignal,
  ): Promise<Opened | null> {
    const { clock, preparer } = this.#options;
    for (let attempt = 1; !interrupt.aborted; attempt++) {
      const prepared = attempt === 1 ? first : await preparer.prepare(spec);
      const opening = prepared.open();
      const opened = await Promise.race([opening, aborted(interrupt).then(() => null)]);
      if (opened === null) {
        // It may take its time: nobody waits for a plugin that is not wanted any more.
        opening.then((late) => "fault" in late ? undefined : late.close()).catch(() => {});
        return null;
      }
      if (!("fault" in opened)) return { prepared, plugins: opened };
      reporter.tell(reportOf(stateOf(opened.fault)));
      const jittered = backoffMs(REOPEN, attempt, clock.random());
      const leastMs = opened.fault.kind === "configuration" ? LIMITS.blockedRetryMs : 0;
      await clock.sleep(Math.max(jittered, leastMs), interrupt);
    }
    return null;
  }

  async #pauseAfter(error: unknown, reporter: StateReporter, interrupt: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const report = reportOfError(error);
    reporter.tell(report);
    if (report.state === "stopped") await aborted(interrupt);
    else if (report.state === "blocked") await clock.sleep(LIMITS.blockedRetryMs, interrupt);
    else {
      this.#hope = new AbortController();
      const ended = AbortSignal.any([interrupt, this.#hope.signal]);
      await clock.sleep(backoffMs(REOPEN, ++this.#troubles, clock.random()), ended);
    }
  }
}

function reportOf(state: DeliveryState): PipelineReport {
  return { code: null, reason: null, advice: null, ...state };
}

function warningOf({ notice }: Plugins): Warning | null {
  return notice === null ? null : { code: "SINK_NOTICE", reason: notice, advice: null };
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
