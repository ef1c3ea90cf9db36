/**
 * Running pipelines: what a pipeline needs from the database and from plugins, as ports, so that the same loop runs on the
 * real ones and on simulated ones.
 *
 * @module
 */

import type { Fault, Json, PluginDescription } from "@pg-tide/sdk";
import type { OffsetStore } from "../ack/mod.ts";
import type { RetryPolicy } from "../deliver/dispatcher.ts";
import type { Sink } from "../deliver/mod.ts";
import type { Format } from "../encode/mod.ts";
import type { DeadLetterStore } from "../record/dead_letter.ts";
import type { RetryStore } from "../record/letter.ts";
import type { PageSource, Start } from "../read/mod.ts";
import type { Route } from "../route/mod.ts";
import type { Transform } from "../transform/mod.ts";

/** A pipeline as it stands in the database. */
export interface PipelineSpec {
  readonly name: string;
  /** The outbox's bare name. */
  readonly outbox: string;
  readonly outboxNumber: number;
  /** Tells apart outboxes that had the same ids, for `pg_tide_id`. */
  readonly incarnation: string;
  readonly consumerGroup: string;
  readonly config: Json;
  readonly enabled: boolean;
  /** Rises with every change of the configuration. */
  readonly revision: number;
  /** Whether somebody waits for dead letters to be sent again. */
  readonly retriesWaiting: boolean;
}

/** The catalog of pipelines in the database. */
export interface Catalog {
  /** All pipelines, enabled or not. */
  load(): Promise<readonly PipelineSpec[]>;
  /**
   * Resolves when a change was notified since the last load, after `ms`, or when `signal` aborts.
   *
   * @returns whether a change was notified; a lease that became free is one
   */
  waitForChange(ms: number, signal: AbortSignal): Promise<boolean>;
  /** Routine work on the database: empty outbox slots that are due, prune old positions. Returns what is worth a log line. */
  maintain(): Promise<readonly string[]>;
  /** Drop dead letters that are older than their pipeline keeps them. Returns what an operator must hear. */
  expire(): Promise<readonly Expired[]>;
}

/** Dead letters that were kept for as long as their pipeline says, and dropped. */
export interface Expired {
  readonly pipeline: string;
  readonly count: number;
  readonly days: number;
}

/** What the operator should know about a pipeline that works. */
export interface Warning {
  /** A stable code. */
  readonly code: string;
  readonly reason: string;
  readonly advice: string | null;
}

/** What a user sees of a pipeline. */
export interface PipelineReport {
  readonly state: "starting" | "running" | "waiting" | "blocked" | "stopped";
  /** A stable code, or null when all is well. With `running` it is a warning's. */
  readonly code: string | null;
  readonly reason: string | null;
  readonly advice: string | null;
}

/** The pipeline's lease. Times are the database server's. */
export interface Lease {
  /** Take the lease; the new epoch, or `null` while another relay holds it. */
  tryAcquire(leaseMs: number): Promise<number | null>;
  /** Prolong it; false when another relay has taken it. */
  renew(epoch: number, leaseMs: number): Promise<boolean>;
  /** Give it up, so that another relay may take it at once. */
  release(epoch: number): Promise<void>;
}

/** The outbox, opened for one session. */
export interface OutboxSession {
  readonly source: PageSource;
  readonly start: Start;
  readonly offsets: OffsetStore;
  readonly deadLetters: DeadLetterStore;
  readonly retries: RetryStore;
}

/** A pipeline's place in the database. */
export interface PipelineStore {
  readonly lease: Lease;
  /**
   * Check that the saved position belongs to this database's numbering, then load it.
   *
   * @throws {UserError} when it does not: nothing may be read then
   */
  openOutbox(spec: PipelineSpec, epoch: number): Promise<OutboxSession>;
  /** Make the state known to `status`. */
  report(epoch: number, report: PipelineReport): Promise<void>;
}

/** The values of a plugin's own fields, with secrets resolved. */
export type FieldValues = Readonly<Record<string, Json>>;

/** A plugin and the values of its own fields. */
export interface PluginUse {
  readonly description: PluginDescription;
  readonly fields: FieldValues;
}

/** The plugins of one session. */
export interface Plugins {
  readonly sink: Sink;
  readonly format: Format | null;
  /** A warning of the sink for the operator, or `null`. */
  readonly notice: string | null;
  /** Offer the running sink other values of its fields. */
  reconfigure(fields: FieldValues): Promise<Reconfigured>;
  close(): Promise<void>;
}

/**
 * What became of values that a running sink was offered: it works with them; a new session must begin, because it cannot take them while it
 * runs; or it cannot use them now, and goes on with those it has.
 */
export type Reconfigured =
  | { readonly kind: "taken" | "restart" }
  | { readonly kind: "refused"; readonly fault: Fault };

/** Plugins that were opened for one session, or why they were not. */
export type OpenedPlugins = Plugins | { readonly fault: Fault };

/** The values of a configuration when its files were read. */
export interface Readings {
  /** Of the sink's own fields. */
  readonly sink: FieldValues;
  /** All others, as a text to compare. */
  readonly rest: string;
}

/** A configuration that was understood. */
export interface Prepared {
  readonly transform: Transform;
  readonly route: Route;
  readonly retry: RetryPolicy;
  readonly pollIntervalMs: number;
  /** The values that all of this was made of. */
  readonly readings: Readings;
  /**
   * Read the configuration's files again; `null` when it names none.
   *
   * @throws {UserError} when one cannot be read, or its content does not fit
   */
  readonly reread: (() => Promise<Readings>) | null;
  /** The most dead letters that the pipeline may have. */
  readonly deadLettersMax: number;
  open(): Promise<OpenedPlugins>;
}

/** Understands configurations. */
export interface Preparer {
  /**
   * Parse a pipeline's configuration, resolve its references, compile its expressions.
   *
   * @throws {UserError} with all problems at once
   */
  prepare(spec: PipelineSpec): Promise<Prepared>;
}
