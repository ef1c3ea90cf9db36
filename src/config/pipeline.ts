/**
 * A pipeline's configuration, from the JSON object in the catalog to the values of the kernel, its sink and its format.
 *
 * @module
 */

import type { Json, PluginDescription } from "@pg-tide/sdk";
import type { Problem } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";
import { type ComposedFields, composeFields, type SplitValues } from "./compose.ts";
import { interpolate, type InterpolationPolicy, type InterpolationPorts } from "./interpolate.ts";
import { KERNEL_FIELDS, KERNEL_RULES, NATIVE_FORMAT } from "./kernel_fields.ts";
import { isJsonObject, parseFields, type Values } from "./parse.ts";
import { oneOf } from "./value.ts";

/** The plugins that a relay knows. */
export type PluginCatalog = readonly PluginDescription[];

/** A pipeline's configuration that is as it should be, but for its references. */
export interface PipelineConfig {
  readonly sink: PluginDescription;
  /** `null` is the native format. */
  readonly format: PluginDescription | null;
  readonly fields: ComposedFields;
  /** All values by field name, with defaults; references are not resolved, so that it may be shown. */
  readonly values: Values;
}

/** A configuration, or all that is wrong with it. */
export type ParsedPipeline =
  | { readonly config: PipelineConfig; readonly problems: readonly [] }
  | { readonly config: null; readonly problems: readonly Problem[] };

/**
 * Read a pipeline's configuration.
 *
 * @param unusable why plugins that the operator gave are not in the catalog, by name
 */
export function parsePipeline(
  raw: Json,
  catalog: PluginCatalog,
  unusable: ReadonlyMap<string, string> = new Map(),
): ParsedPipeline {
  if (!isJsonObject(raw)) {
    return {
      config: null,
      problems: [{ field: "", message: "Cannot read the configuration: expected an object" }],
    };
  }
  const problems: Problem[] = [];
  const find = (field: "sink_type" | "wire_format") => {
    const plugin = findPlugin(field, raw[field], catalog);
    if (plugin === null) {
      problems.push({ field, message: absentPlugin(field, raw[field], catalog, unusable) });
    }
    return plugin;
  };
  const sink = find("sink_type");
  const format = isNative(raw["wire_format"]) ? null : find("wire_format");
  // Without its plugins the other fields cannot be told from mistakes.
  if (sink === null || problems.length > 0) return { config: null, problems };
  const fields = composeFields({ specs: KERNEL_FIELDS, rules: KERNEL_RULES }, sink, format);
  const { values, problems: found } = parseFields(fields.specs, fields.rules, raw);
  const all = [...found, ...retryProblems(values, found)];
  return all.length > 0
    ? { config: null, problems: all }
    : { config: { sink, format, fields, values }, problems: [] };
}

/** A pipeline's values with references resolved, or all that does not resolve. */
export type ResolvedPipeline = {
  readonly values: SplitValues | null;
  readonly problems: readonly Problem[];
  /** Texts that must never be shown, for `redactor`. */
  readonly secrets: ReadonlySet<string>;
  /** Whether a value came, or should have come, from a file. */
  readonly namesFiles: boolean;
};

/** Resolve the references of a pipeline's configuration, and read its files. Done when it starts, and again when it changes. */
export async function resolvePipeline(
  config: PipelineConfig,
  policy: InterpolationPolicy,
  ports: InterpolationPorts,
): Promise<ResolvedPipeline> {
  const { values, ...rest } = await interpolate(config.fields, config.values, policy, ports);
  return { values: rest.problems.length > 0 ? null : config.fields.split(values), ...rest };
}

function isNative(name: Json | undefined): boolean {
  return name === undefined || name === null || name === NATIVE_FORMAT;
}

function findPlugin(field: string, name: Json | undefined, catalog: PluginCatalog): PluginDescription | null {
  return pluginsFor(field, catalog).find((candidate) => candidate.name === name) ?? null;
}

function pluginsFor(field: string, catalog: PluginCatalog): PluginCatalog {
  const kind = field === "sink_type" ? "sink" : "format";
  return catalog.filter((plugin) => plugin.kind === kind);
}

function absentPlugin(
  field: string,
  name: Json | undefined,
  catalog: PluginCatalog,
  unusable: ReadonlyMap<string, string>,
): string {
  const known = pluginsFor(field, catalog).map((plugin) => plugin.name);
  const names = [...(field === "wire_format" ? [NATIVE_FORMAT] : []), ...known];
  if (name === undefined || name === null) return `Cannot leave out ${field}: expected ${oneOf(names)}`;
  const why = typeof name === "string" ? unusable.get(name) : undefined;
  if (why !== undefined) return `Cannot use ${field}: ${why}`;
  const nearest = typeof name === "string" ? nearestName(name, names) : null;
  const hint = nearest === null ? "" : ` (did you mean "${nearest}"?)`;
  const shown = JSON.stringify(name).slice(0, 100);
  return `Cannot use ${field}: this relay has no ${shown}${hint}, expected ${oneOf(names)}`;
}

/** The one relation between numbers that rules cannot say. */
function retryProblems(values: Values, found: readonly Problem[]): Problem[] {
  const [first, longest] = ["retry.initial_ms", "retry.max_ms"];
  if (found.some(({ field }) => field === first || field === longest)) return [];
  if (Number(values[first!] ?? 0) <= Number(values[longest!] ?? Infinity)) return [];
  const message = `Cannot use ${first}: ${values[first!]}, expected at most ${longest}, which is ${
    values[longest!]
  }`;
  return [{ field: first!, message }];
}
