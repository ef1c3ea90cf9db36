/**
 * From a pipeline's configuration to what a session needs.
 *
 * @module
 */

import type { Json, PluginDescription } from "@pg-tide/sdk";
import { EXIT, type Problem, UserError } from "../base/errors.ts";
import type { InterpolationPolicy, InterpolationPorts } from "../config/interpolate.ts";
import type { SplitValues } from "../config/compose.ts";
import { parsePipeline, type PipelineConfig, resolvePipeline } from "../config/pipeline.ts";
import { compileRoute } from "../route/router.ts";
import { compileTransform } from "../transform/jmespath.ts";
import type { OpenedPlugins, PipelineSpec, PluginUse, Prepared, Preparer, Readings } from "./mod.ts";

/** What a preparer needs. */
export interface PreparerOptions {
  /** The plugins that this relay knows. */
  readonly catalog: readonly PluginDescription[];
  /** Why plugins that the operator gave cannot be used, by name. */
  readonly unusable: ReadonlyMap<string, string>;
  readonly policy: InterpolationPolicy;
  readonly ports: InterpolationPorts;
  /** Told of every secret before it is used, so that no log line shows it. */
  readonly onSecrets: (secrets: ReadonlySet<string>) => void;
  /** Start the plugins of a pipeline. */
  readonly open: (spec: PipelineSpec, sink: PluginUse, format: PluginUse | null) => Promise<OpenedPlugins>;
}

/** A preparer over these plugins and this policy. */
export function createPreparer(options: PreparerOptions): Preparer {
  return { prepare: (spec) => prepare(spec, options) };
}

async function prepare(spec: PipelineSpec, options: PreparerOptions): Promise<Prepared> {
  const parsed = parsePipeline(spec.config, options.catalog, options.unusable);
  if (parsed.config === null) throw configurationError(parsed.problems);
  const { config } = parsed;
  const { sink, format } = config;
  const { values, namesFiles } = await resolve(config, options);
  const { kernel } = values;

  const transform = compileTransform({
    outbox: spec.outbox,
    filter: text(kernel, "transform.filter"),
    payload: text(kernel, "transform.payload"),
  });
  const route = compileRoute({
    outbox: spec.outbox,
    incarnation: spec.incarnation,
    topic: text(kernel, "topic"),
    messageKey: text(kernel, "message_key"),
    partition: text(kernel, "partition"),
    headers: texts(kernel, "headers"),
    ...(sink.topicRule === undefined ? {} : { topicRule: sink.topicRule }),
  });
  if (transform.transform === null || route.route === null) {
    throw configurationError([...transform.problems, ...route.problems]);
  }
  const sinkUse = { description: sink, fields: values.sink };
  const formatUse = format === null || isIdentity(format, values.format)
    ? null
    : { description: format, fields: values.format };
  return {
    transform: transform.transform,
    route: route.route,
    retry: {
      maxAttempts: Number(kernel["retry.max_attempts"]),
      initialMs: Number(kernel["retry.initial_ms"]),
      maxMs: Number(kernel["retry.max_ms"]),
    },
    pollIntervalMs: Number(kernel["poll_interval_ms"]),
    readings: readingsOf(values),
    reread: namesFiles ? async () => readingsOf((await resolve(config, options)).values) : null,
    deadLettersMax: Number(kernel["dlq.max_letters"]),
    open: () => options.open(spec, sinkUse, formatUse),
  };
}

/** @throws {UserError} when a reference does not resolve */
async function resolve(
  config: PipelineConfig,
  { policy, ports, onSecrets }: PreparerOptions,
): Promise<{ readonly values: SplitValues; readonly namesFiles: boolean }> {
  const { values, problems, secrets, namesFiles } = await resolvePipeline(config, policy, ports);
  onSecrets(secrets);
  if (values === null) throw configurationError(problems);
  return { values, namesFiles };
}

function readingsOf({ sink, kernel, format }: SplitValues): Readings {
  return { sink, rest: JSON.stringify([kernel, format]) };
}

/** Whether a format hands payloads on unchanged under these values, so that it needs no Worker. */
function isIdentity(format: PluginDescription, fields: Readonly<Record<string, Json>>): boolean {
  const { identity } = format;
  return identity !== undefined &&
    Object.entries(identity).every(([name, value]) =>
      JSON.stringify(fields[name] ?? null) === JSON.stringify(value)
    );
}

function configurationError(problems: readonly Problem[]): UserError {
  const all = problems.map(({ message }) => message).join("; ");
  return new UserError(
    problems.length === 1
      ? all
      : `Cannot use the configuration: it has ${problems.length} problems, expected none. ${all}`,
    {
      code: "CONFIGURATION",
      advice:
        "Correct it with tide.relay_set_outbox(…), or give the relay what it lacks and start it again; the pipeline " +
        "goes on by itself from its saved position.",
      exitCode: EXIT.usage,
      problems,
    },
  );
}

function text(values: Readonly<Record<string, Json>>, name: string): string | null {
  const value = values[name] ?? null;
  return typeof value === "string" ? value : null;
}

function texts(values: Readonly<Record<string, Json>>, name: string): Record<string, string> | null {
  const value = values[name] ?? null;
  if (typeof value !== "object" || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, String(one)]));
}
