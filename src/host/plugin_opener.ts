/**
 * Starts the plugins of a pipeline in their Workers.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { invariant } from "../base/invariant.ts";
import type { Logger } from "../base/telemetry.ts";
import type { OpenedPlugins, PipelineSpec, PluginUse } from "../run/mod.ts";
import { FormatHost } from "./format_host.ts";
import type { PluginCatalog } from "./plugin_catalog.ts";
import type { PluginSessionOptions } from "./plugin_session.ts";
import type { PluginPolicy } from "./policy.ts";
import { SinkHost } from "./sink_host.ts";

/** What an opener needs. */
export interface PluginOpenerOptions {
  readonly plugins: PluginCatalog;
  readonly policy: PluginPolicy;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A function that opens a pipeline's sink and format; when one cannot work, the other is closed again. */
export function createPluginOpener(
  options: PluginOpenerOptions,
): (spec: PipelineSpec, sink: PluginUse, format: PluginUse | null) => Promise<OpenedPlugins> {
  return async (spec, sinkUse, formatUse) => {
    const sink = await SinkHost.open(sessionOptions(spec, sinkUse, options));
    if ("fault" in sink) return sink;
    const format = formatUse === null
      ? { format: null }
      : await FormatHost.open(sessionOptions(spec, formatUse, options));
    if ("fault" in format) {
      await sink.sink.close();
      return format;
    }
    const close = async () => {
      await Promise.all([sink.sink.close(), format.format?.close()]);
    };
    return { ...sink, ...format, close };
  };
}

function sessionOptions(
  { name, outbox }: PipelineSpec,
  { description, fields }: PluginUse,
  { plugins, policy, clock, log }: PluginOpenerOptions,
): PluginSessionOptions {
  const plugin = plugins.find(description.kind, description.name);
  invariant(plugin !== null, "a pipeline's plugin is in the catalog that it was prepared with");
  return {
    plugin,
    config: { pipeline: name, outbox, fields },
    policy,
    clock,
    log: log.with({ pipeline: name }),
  };
}
