/**
 * The supervisor: keeps the set of running pipelines equal to the enabled ones in the database.
 *
 * It looks at the catalog when told of a change and at least once a second, so that enabling, disabling, changing, creating and
 * deleting pipelines takes effect without a restart. Pipelines are independent: starting, draining or failing one never waits for
 * another.
 *
 * @module
 */

import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import type { Logger } from "../base/telemetry.ts";
import type { Catalog, PipelineSpec } from "./mod.ts";

/** One pipeline under supervision. */
export interface Supervised {
  /** What it works on, or is about to. */
  readonly spec: PipelineSpec;
  start(): void;
  update(spec: PipelineSpec): void;
  /** Something has changed: its lease may have become free. */
  poke(): void;
  /** Somebody waits for dead letters to be sent again; told again and again until they are. */
  resend(): void;
  stop(): Promise<void>;
}

/** What a supervisor needs. */
export interface SupervisorOptions {
  readonly catalog: Catalog;
  readonly create: (spec: PipelineSpec) => Supervised;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Waits between looks at a catalog that cannot be read. */
const RELOAD = { initialMs: 200, maxMs: 5_000 };

/** Runs all enabled pipelines of a database. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #pipelines = new Map<string, Supervised>();
  /** Pipelines that are draining; a pipeline of the same name starts when its predecessor has ended. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  #running: Promise<unknown> | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Start looking. */
  start(): void {
    this.#running = Promise.all([this.#watch(), this.#maintain()]);
  }

  /** Drain all pipelines, side by side. */
  async stop(): Promise<void> {
    this.#stop.abort();
    // Before anything is waited for: a look at a database that hangs must not hold up the drain.
    for (const name of [...this.#pipelines.keys()]) this.#end(name);
    await Promise.all(this.#ending.values());
    await this.#running;
  }

  async #watch(): Promise<void> {
    const { catalog, clock, log } = this.#options;
    let failures = 0;
    let told = false;
    while (!this.#stop.signal.aborted) {
      try {
        const specs = await catalog.load();
        if (this.#stop.signal.aborted) return;
        this.#reconcile(specs);
        if (told || failures > 0) { for (const pipeline of this.#pipelines.values()) pipeline.poke(); }
        if (failures > 0) log.info("PostgreSQL answers again");
        failures = 0;
        told = await catalog.waitForChange(LIMITS.catalogPollMs, this.#stop.signal);
      } catch (error) {
        if (failures++ === 0) {
          log.warn("Cannot read the pipelines: waiting for PostgreSQL", { reason: messageOf(error) });
        }
        await clock.sleep(backoffMs(RELOAD, failures, clock.random()), this.#stop.signal);
      }
    }
  }

  #reconcile(specs: readonly PipelineSpec[]): void {
    const wanted = new Map(specs.filter((spec) => spec.enabled).map((spec) => [spec.name, spec]));
    for (const name of this.#pipelines.keys()) {
      if (!wanted.has(name)) this.#end(name);
    }
    for (const [name, spec] of wanted) {
      const pipeline = this.#pipelines.get(name);
      if (pipeline === undefined) {
        if (!this.#ending.has(name)) this.#begin(spec);
      } else if (isElsewhere(pipeline.spec, spec)) {
        this.#end(name);
      } else if (isChanged(pipeline.spec, spec)) {
        pipeline.update(spec);
      } else if (spec.retriesWaiting) {
        pipeline.resend();
      }
    }
  }

  #begin(spec: PipelineSpec): void {
    const pipeline = this.#options.create(spec);
    this.#pipelines.set(spec.name, pipeline);
    pipeline.start();
  }

  #end(name: string): void {
    const pipeline = this.#pipelines.get(name);
    if (pipeline === undefined) return;
    this.#pipelines.delete(name);
    this.#ending.set(name, pipeline.stop().finally(() => this.#ending.delete(name)));
  }

  async #maintain(): Promise<void> {
    const { catalog, clock, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        for (const done of await catalog.maintain()) log.info(done);
        for (const { pipeline, ...fields } of await catalog.expire()) {
          log.with({ pipeline }).warn(
            "Dead letters were dropped, kept for as long as dlq.retention_days says",
            fields,
          );
        }
      } catch (error) {
        log.debug("Cannot do routine work on the database", { reason: messageOf(error) });
      }
      // Jitter keeps several relays from looking at the same moment.
      await clock.sleep(LIMITS.maintainEveryMs * (0.75 + clock.random() / 2), this.#stop.signal);
    }
  }
}

/** Whether a configuration is another one. A pipeline that was deleted and made again begins with revision 1 again. */
function isChanged(before: PipelineSpec, now: PipelineSpec): boolean {
  return before.revision !== now.revision || JSON.stringify(before.config) !== JSON.stringify(now.config);
}

/** Whether a pipeline now reads another outbox, or for another group: that is another pipeline of the same name. */
function isElsewhere(before: PipelineSpec, now: PipelineSpec): boolean {
  return before.outboxNumber !== now.outboxNumber || before.incarnation !== now.incarnation ||
    before.consumerGroup !== now.consumerGroup;
}
