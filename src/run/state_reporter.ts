/**
 * Tells the state of a pipeline: to the operator in the log, and to the database for `status`.
 *
 * @module
 */

import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/telemetry.ts";
import type { PipelineReport, PipelineStore, Warning } from "./mod.ts";

/** What a reporter needs. */
export interface StateReporterOptions {
  readonly store: Pick<PipelineStore, "report">;
  /** Of the lease under which it reports. */
  readonly epoch: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Waits between attempts to write to a database that is away. */
const REWRITE = { initialMs: 200, maxMs: 5_000 };

/**
 * Reports each change once. Writes one state after the other, as two at once could arrive in the wrong order; of those that
 * wait only the newest is written, and it is written again until it stands in the database.
 */
export class StateReporter {
  readonly #options: StateReporterOptions;
  readonly #ended = new AbortController();
  /** The newest state, and a text of it to compare. */
  #last: PipelineReport | null = null;
  #told = "";
  #state: PipelineReport | null = null;
  #warning: Warning | null = null;
  #wanted: PipelineReport | null = null;
  #writing: Promise<void> | null = null;

  constructor(options: StateReporterOptions) {
    this.#options = options;
  }

  /** The pipeline is in this state now. */
  tell(state: PipelineReport): void {
    this.#state = state;
    this.#tell();
  }

  /** What the operator should know while the pipeline runs; trouble says more than any warning. */
  warn(warning: Warning | null): void {
    this.#warning = warning;
    if (this.#state?.state === "running") this.#tell();
  }

  #tell(): void {
    const report = this.#state!.state === "running" ? { ...this.#state!, ...this.#warning } : this.#state!;
    const told = JSON.stringify(report);
    if (told === this.#told) return;
    this.#told = told;
    this.#log(report, this.#last);
    this.#last = report;
    this.#wanted = report;
    this.#writing ??= this.#write().finally(() => this.#writing = null);
  }

  /** The lease is given up: what is not written yet is of no interest any more. */
  end(): void {
    this.#wanted = null;
    this.#ended.abort();
  }

  async #write(): Promise<void> {
    const { store, epoch, clock, log } = this.#options;
    for (let failures = 0; this.#wanted !== null;) {
      const report = this.#wanted;
      this.#wanted = null;
      try {
        await store.report(epoch, report);
        failures = 0;
      } catch (error) {
        log.debug("Cannot report the state", { error: messageOf(error) });
        await clock.sleep(backoffMs(REWRITE, ++failures, clock.random()), this.#ended.signal);
        if (!this.#ended.signal.aborted) this.#wanted ??= report;
      }
    }
  }

  #log({ state, code, reason, advice }: PipelineReport, before: PipelineReport | null): void {
    const { log } = this.#options;
    const fields = { ...(code && { code }), ...(reason && { reason }), ...(advice && { advice }) };
    switch (state) {
      case "starting":
        return log.debug("Starting", fields);
      case "running":
        return code === null ? log.info("Running") : log.warn("Running, with a warning", fields);
      case "waiting":
        // One outage has many faces: refused, closed, starting up.
        return before?.state === state && before.code === code
          ? log.debug("Still waiting", fields)
          : log.warn("Waiting", fields);
      case "blocked":
        return log.error("Blocked", fields);
      case "stopped":
        return log.error("Stopped", fields);
    }
  }
}
