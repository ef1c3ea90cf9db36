/**
 * What a plugin author writes: a sink or a format as an object, handed to `defineSink` or `defineFormat`.
 *
 * @module
 */

import type {
  Answer,
  EncodedPage,
  MessagePage,
  Opened,
  PluginConfig,
  PluginDescription,
  RecordPage,
} from "./contract.ts";

/**
 * Tells the kernel, before a page has its answer, that its first `count` records are delivered. What is told is saved within
 * milliseconds, so that a crash repeats less. Needs not be called; may be called often, as only the newest count is sent every
 * few milliseconds. The answer says it all again, and must not say otherwise.
 */
export type Progress = (count: number) => void;

/** An opened sink. */
export interface OpenSink {
  /** How the kernel may use it. */
  readonly opened?: Opened;
  /**
   * Deliver a page of records.
   *
   * Called again before the last call settled, up to {@link Opened.pagesInFlight} pages at a time, in the order of the
   * outbox. The page belongs to the sink. Within a topic and key the order must be kept: see {@link Answer}. After an answer with a
   * fault or a failure the SDK itself refuses further pages of that `generation` that the sink has not been given yet.
   *
   * A thrown error is taken as an outage (`unavailable`, code `PLUGIN_ERROR`).
   */
  deliver(page: RecordPage, generation: number, progress: Progress): Promise<Answer>;
  /**
   * Take new secrets or certificates while running: a file that the configuration names has changed. Pages may be in flight, and are
   * delivered as if nothing had happened. Without it the kernel restarts the Worker.
   *
   * @throws {FaultError} when they cannot be used now: the sink goes on with those it has, and is offered them again; anything else
   * when they cannot be taken while running: the kernel restarts the Worker
   */
  reconfigure?(config: PluginConfig): Promise<void>;
  /** Give up all connections. Called once, when no page is in flight. */
  close(): Promise<void>;
}

/** A sink plugin. */
export interface SinkDefinition extends Omit<PluginDescription, "kind" | "contract"> {
  /** Find the further hosts it must reach, with only the configured ones reachable (`discoversHosts`). */
  discover?(config: PluginConfig): Promise<readonly string[]>;
  /**
   * Connect, as far as the sink needs to.
   *
   * @throws {FaultError} when it cannot
   */
  open(config: PluginConfig): Promise<OpenSink>;
}

/** An opened format. */
export interface OpenFormat {
  /** Encode a page of messages; called one at a time. A thrown error is an outage with code `PLUGIN_ERROR`. */
  encode(page: MessagePage): Promise<EncodedPage> | EncodedPage;
  /** Give up what it holds. Called once, when no page is being encoded. */
  close?(): Promise<void>;
}

/** A format plugin. */
export interface FormatDefinition extends Omit<PluginDescription, "kind" | "contract"> {
  /**
   * Prepare to encode.
   *
   * @throws {FaultError} when it cannot
   */
  open(config: PluginConfig): Promise<OpenFormat> | OpenFormat;
}
