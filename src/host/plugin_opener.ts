/**
 * Starts the plugins of a pipeline in their Workers.
 *
 * @module
 */

import type { PluginConfig } from "@pg-tide/sdk";
import type { Clock } from "../base/clock.ts";
import { invariant } from "../base/invariant.ts";
import type { Logger } from "../base/telemetry.ts";
import type { FieldValues, OpenedPlugins, PipelineSpec, PluginUse } from "../run/mod.ts";
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
    const opened = await SinkHost.open(sessionOptions(spec, sinkUse, options));
    if ("fault" in opened) return opened;
    const { sink } = opened;
    const format = formatUse === null
      ? { format: null }
      : await FormatHost.open(sessionOptions(spec, formatUse, options));
    if ("fault" in format) {
      await sink.close();
      return format;
    }
    return {
      sink,
      ...format,
      notice: sink.notice,
      reconfigure: (fields) => sink.reconfigure(configOf(spec, fields)),
      close: async () => {
        await Promise.all([sink.close(), format.format?.close()]);
      },
    };
  };
}

function configOf({ name, outbox }: PipelineSpec, fields: FieldValues): PluginConfig {
  return { pipeline: name, outbox, fields };
}

function sessionOptions(
  spec: PipelineSpec,
  { description, fields }: PluginUse,
  { plugins, policy, clock, log }: PluginOpenerOptions,
): PluginSessionOptions {
  const plugin = plugins.find(description.kind, description.name);
  invariant(plugin !== null, "a pipeline's plugin is in the catalog that it was prepared with");
  return {
    plugin,
    config: configOf(spec, fields),
    policy,
    clock,
    log: log.with({ pipeline: spec.name }),
  };
}
