/**
 * Serving a sink or a format, as its author has written it down.
 *
 * @module
 */

import { CONTRACT_VERSION, type Fault, type PluginDescription } from "./contract.ts";
import type { FormatDefinition, SinkDefinition } from "./definition.ts";
import { serve } from "./serve.ts";

/** Thrown by a plugin's `open` or `discover` to say why it cannot work; see {@link Fault}. */
export class FaultError extends Error {
  /** Tells it apart where the class is lost. */
  override readonly name = "FaultError";

  /**
   * Say why.
   *
   * @param fault what the kernel is told
   */
  constructor(readonly fault: Fault, options?: ErrorOptions) {
    super(fault.kind === "hosts" ? `Needs ${fault.hosts.join(", ")}` : fault.reason, options);
  }
}

/** Data-only part of a definition, as it is sent in the handshake. */
function describe(kind: "sink" | "format", definition: SinkDefinition | FormatDefinition): PluginDescription {
  const { name, summary, fields, rules, permissions, identity, topicRule, partitions } = definition;
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
    ...(partitions === undefined ? {} : { partitions }),
  };
}

/**
 * Serve a sink in this Worker. Call it once, at the top level of the plugin's module.
 *
 * @example A sink that counts
 * ```js ignore
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
