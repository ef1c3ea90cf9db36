/**
 * `pg-tide plugin list | inspect NAME | test FILE`.
 *
 * @module
 */

import type { Fault, FieldSpec, Json, PluginDescription } from "@pg-tide/sdk";
import { REGISTRY } from "../../plugins/registry.ts";
import { FORMAT_CASES, PARTITION_CASES, SINK_CASES } from "../../plugins/sdk/conformance.ts";
import { SYSTEM_CLOCK } from "../base/clock.ts";
import { EXIT, messageOf, UserError } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";
import { SILENT } from "../base/telemetry.ts";
import { composeFields, fieldObjection } from "../config/compose.ts";
import { interpolate, MACHINE_PORTS } from "../config/interpolate.ts";
import { jsonSchema } from "../config/json_schema.ts";
import { KERNEL_FIELDS, KERNEL_RULES } from "../config/kernel_fields.ts";
import { isJsonObject, parseFields } from "../config/parse.ts";
import { redactor } from "../config/redact.ts";
import type { Settings } from "../config/settings.ts";
import { fieldText } from "../config/tables.ts";
import {
  FormatHost,
  type KnownPlugin,
  loadCatalog,
  loadFile,
  type LoadOptions,
  parsePluginPolicy,
  type PluginCatalog,
  type PluginSessionOptions,
  SinkHost,
} from "../host/mod.ts";
import type { Output } from "./output.ts";

/** Where the records of the conformance suite go when the configuration names no topic. */
const TEST_TOPIC = "pg-tide-conformance";

/** List the plugins that this relay knows. Exits with 1 when one of them cannot be used. */
export async function pluginList(
  settings: Settings,
  options: { readonly json?: true },
  output: Output,
): Promise<number> {
  const { plugins, failures } = await catalogOf(settings);
  if (options.json) {
    const failed = failures.map(({ name, error }) => ({ name, error: error.message, advice: error.advice }));
    output.out(JSON.stringify({ plugins: plugins.map(summaryOf), failed }));
  } else {
    const width = Math.max(...plugins.map(({ description }) => description.name.length));
    for (const { description: { kind, name, summary }, place } of plugins) {
      output.out(`${kind.padEnd(6)}  ${name.padEnd(width)}  ${summary} (${place})`);
    }
  }
  for (const { error } of failures) output.err(`Error: ${error.message}. ${error.advice}`);
  return failures.length > 0 ? EXIT.failure : EXIT.good;
}

/** Show one plugin: its fields, and what it asks to touch. */
export async function pluginInspect(
  settings: Settings,
  name: string,
  options: { readonly json?: true; readonly schema?: true },
  output: Output,
): Promise<number> {
  const plugin = findPlugin(await catalogOf(settings), name);
  const { description, sha256 } = plugin;
  if (options.schema) {
    output.out(JSON.stringify(schemaOf(description), null, 2));
    return EXIT.good;
  }
  if (options.json) {
    const { kind, contract, fields, rules, permissions } = description;
    output.out(
      JSON.stringify({
        ...summaryOf(plugin),
        kind,
        contract,
        fields: fields.map(withDefault),
        rules: rules ?? [],
        permissions,
        // A sink's fields stand beside these.
        ...(kind === "sink" && { pipeline_fields: pipelineFields(description).map(withDefault) }),
      }),
    );
    return EXIT.good;
  }
  output.out(`${description.kind} ${description.name}: ${description.summary}`);
  output.out(`From: ${plugin.place}${sha256 === null ? "" : `, SHA-256 ${sha256}`}`);
  output.out(`Contract: version ${description.contract}`);
  output.out(description.fields.length === 0 ? "Fields: none" : `Fields:\n${fieldText(description.fields)}`);
  if (description.kind === "sink") {
    output.out(`Fields of every pipeline:\n${fieldText(pipelineFields(description))}`);
  }
  output.out(`Permissions:\n${permissionText(plugin)}`);
  return EXIT.good;
}

/** Run the conformance suite over a plugin's file. Exits with 1 when a case fails. */
export async function pluginTest(
  settings: Settings,
  file: string,
  options: { readonly set?: string },
  output: Output,
): Promise<number> {
  const plugin = await loadFile(file, LOADING);
  const raw = parseSet(options.set ?? "{}");
  const { fields, secrets } = await fieldValues(plugin, raw, settings);
  const session: PluginSessionOptions = {
    plugin,
    config: { pipeline: "conformance", outbox: "conformance", fields },
    policy: parsePluginPolicy(settings.pluginNet),
    clock: SYSTEM_CLOCK,
    log: SILENT,
  };
  const topic = typeof fields["topic"] === "string" ? fields["topic"] : TEST_TOPIC;
  const cases = plugin.description.kind === "sink" ? sinkCases(session, topic) : formatCases(session);
  const redact = redactor(secrets);
  let failed = 0;
  for (const [name, run] of Object.entries(cases)) {
    const problem = await run().then(() => null, messageOf);
    if (problem !== null) failed++;
    output.out(redact(problem === null ? `ok    ${name}` : `FAIL  ${name}\n      ${problem}`));
  }
  output.out(`${Object.keys(cases).length - failed} passed, ${failed} failed`);
  return failed > 0 ? EXIT.failure : EXIT.good;
}

const LOADING: LoadOptions = { clock: SYSTEM_CLOCK, log: SILENT, objection: fieldObjection };

function catalogOf(settings: Settings): Promise<PluginCatalog> {
  return loadCatalog({ builtIn: REGISTRY, external: settings.plugin, ...LOADING });
}

function findPlugin({ plugins, failures }: PluginCatalog, name: string): KnownPlugin {
  const failure = failures.find((candidate) => candidate.name === name);
  if (failure !== undefined) throw failure.error;
  const plugin = plugins.find(({ description }) => description.name === name);
  if (plugin !== undefined) return plugin;
  const names = plugins.map(({ description }) => description.name);
  const nearest = nearestName(name, names);
  const hint = nearest === null ? "" : ` Did you mean "${nearest}"?`;
  throw new UserError(`Cannot inspect plugin ${JSON.stringify(name)}: expected one of ${names.join(", ")}`, {
    code: "PLUGIN_UNKNOWN",
    advice: `Load a plugin of your own with --plugin NAME=file:./plugin.js.${hint}`,
    exitCode: EXIT.usage,
  });
}

/** The kernel's fields that a pipeline to this sink may have. */
function pipelineFields({ partitions }: PluginDescription): readonly FieldSpec[] {
  return KERNEL_FIELDS.filter(({ name }) => name !== "partition" || partitions === true);
}

function withDefault(field: FieldSpec) {
  return { ...field, default: field.default ?? null };
}

function summaryOf({ description, origin, place, sha256 }: KnownPlugin) {
  const { name, kind, summary } = description;
  return { name, kind, summary, origin, place, sha256 };
}

/** The JSON Schema of a pipeline's configuration with this sink, or of the `wire_config` of this format. */
function schemaOf(description: PluginDescription): Json {
  const { kind, name, fields, rules = [] } = description;
  if (kind === "format") return jsonSchema(`wire_config of the format ${name}`, { specs: fields, rules });
  const kernel = KERNEL_FIELDS.map((spec) =>
    spec.name === "sink_type" ? { ...spec, values: [name], examples: [name] } : spec
  );
  const composed = composeFields({ specs: kernel, rules: KERNEL_RULES }, description, null);
  return jsonSchema(`pipeline to ${name}`, composed);
}

function permissionText({ description: { permissions }, origin }: KnownPlugin): string {
  const net = permissions.net ?? [];
  const lines = net.length === 0 ? ["  no network"] : [`  network: ${net.join(", ")}`];
  if (permissions.discoversHosts === true) {
    lines.push(
      origin === "first_party"
        ? "  network: the further hosts that these name"
        : "  network: of the further hosts that these name, those allowed with --plugin-net",
    );
  }
  const guarded = permissions.guardedNet ?? [];
  if (guarded.length > 0) lines.push(`  network, if allowed with --plugin-net: ${guarded.join(", ")}`);
  lines.push(...(permissions.assets ?? []).map((asset) => `  read: its own file ${asset}`));
  lines.push("  no environment variables, other files or programs");
  return lines.join("\n");
}

function parseSet(text: string): Json {
  try {
    const value: Json = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    // Said below, without the text, which may hold a password.
  }
  throw new UserError("Cannot use --set: it is not a JSON object", {
    code: "PLUGIN_CONFIGURATION",
    advice: `Write it as --set '{"url": "https://localhost:8080"}'.`,
    exitCode: EXIT.usage,
  });
}

async function fieldValues({ description }: KnownPlugin, raw: Json, settings: Settings) {
  const declarations = { specs: description.fields, rules: description.rules ?? [] };
  const { values, problems } = parseFields(declarations.specs, declarations.rules, raw);
  const resolved = problems.length > 0
    ? null
    : await interpolate(declarations, values, settings, MACHINE_PORTS);
  const all = resolved?.problems ?? problems;
  if (resolved !== null && all.length === 0) {
    return { fields: { ...resolved.values }, secrets: resolved.secrets };
  }
  throw new UserError(`Cannot test ${description.name}: ${all.map(({ message }) => message).join("; ")}`, {
    code: "PLUGIN_CONFIGURATION",
    advice: "Give the plugin's fields with --set, as a JSON object.",
    exitCode: EXIT.usage,
    problems: all,
  });
}

function sinkCases(options: PluginSessionOptions, topic: string): Record<string, () => Promise<void>> {
  const open = async () => {
    const opened = await SinkHost.open(options);
    if ("fault" in opened) throw new Error(faultText(opened.fault));
    return opened.sink;
  };
  const { partitions } = options.plugin.description;
  return bind({ ...SINK_CASES, ...(partitions === true && PARTITION_CASES) }, { topic, open });
}

function formatCases(options: PluginSessionOptions): Record<string, () => Promise<void>> {
  const open = async () => {
    const opened = await FormatHost.open(options);
    if ("fault" in opened) throw new Error(faultText(opened.fault));
    return opened.format;
  };
  return bind(FORMAT_CASES, { open });
}

function bind<S>(
  cases: Readonly<Record<string, (subject: S) => Promise<void>>>,
  subject: S,
): Record<string, () => Promise<void>> {
  return Object.fromEntries(Object.entries(cases).map(([name, run]) => [name, () => run(subject)]));
}

function faultText(fault: Fault): string {
  return fault.kind === "hosts"
    ? `The plugin must reach ${fault.hosts.join(", ")}`
    : `${fault.code}: ${fault.reason}${fault.kind === "configuration" ? `. ${fault.advice}` : ""}`;
}
