/**
 * What a plugin author writes: a sink or a format as an object, handed to {@link defineSink} or {@link defineFormat}.
 *
 * @module
 */

import type {
  Answer,
  EncodedPage,
  Fault,
  MessagePage,
  Opened,
  PluginConfig,
  PluginDescription,
  RecordPage,
} from "./contract.ts";
import { CONTRACT_VERSION } from "./contract.ts";
import { serve } from "./serve.ts";

/** Thrown by a plugin's `open` or `discover` to say why it cannot work; see {@link Fault}. */
export class FaultError extends Error {
  override readonly name = "FaultError";
  constructor(readonly fault: Fault, options?: ErrorOptions) {
    super(fault.kind === "hosts" ? `Needs ${fault.hosts.join(", ")}` : fault.reason, options);
  }
}

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
  deliver(page: RecordPage, generation: number): Promise<Answer>;
  /** Take new secrets or certificates while running. Without it the kernel restarts the Worker. */
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
  close?(): Promise<void>;
}

/** A format plugin. */
export interface FormatDefinition extends Omit<PluginDescription, "kind" | "contract"> {
  open(config: PluginConfig): Promise<OpenFormat> | OpenFormat;
}

/** Data-only part of a definition, as it is sent in the handshake. */
function describe(kind: "sink" | "format", definition: SinkDefinition | FormatDefinition): PluginDescription {
  const { name, summary, fields, rules, permissions, identity, topicRule } = definition;
  return {
    name,
    kind,
    contract: CONTRACT_VERSION,
    summary,
    fields,
    permissions,
    ...(rules === undefined ? {} : { rules }),
    ...(identity === undefined ? {} : { identity }),
    ...(topicRule === undefined ? {} : { topicRule }),
  };
}

/**
 * Serve a sink in this Worker. Call it once, at the top level of the plugin's module.
 *
 * @example A sink that counts
 * ```js
 * import { defineSink, delivered } from "@pg-tide/sdk";
 *
 * defineSink({
 *   name: "counter",
 *   summary: "Counts records and keeps none",
 *   fields: [],
 *   permissions: {},
 *   open: () => {
 *     let records = 0;
 *     return Promise.resolve({
 *       deliver(page) {
 *         records += page.count;
 *         return Promise.resolve(delivered(page.count));
 *       },
 *       close: () => Promise.resolve(),
 *     });
 *   },
 * });
 * ```
 */
export function defineSink(definition: SinkDefinition): void {
  serve(describe("sink", definition), { kind: "sink", definition });
}

/** Serve a format in this Worker. Call it once, at the top level of the plugin's module. */
export function defineFormat(definition: FormatDefinition): void {
  serve(describe("format", definition), { kind: "format", definition });
}
