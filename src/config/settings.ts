/**
 * The settings of the process, out of flags, environment and file. A flag goes before the environment, the
 * environment before the file.
 *
 * @module
 */

import type { FieldSpec, Json } from "@pg-tide/sdk";
import { messageOf, type Problem } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";
import { CONFIG_SETTING, ENV_PREFIX, flagOf, SETTING_FIELDS, variableOf } from "./flags.ts";
import { isJsonObject } from "./parse.ts";
import { redactUrls } from "./redact.ts";
import { checkValue } from "./value.ts";

/** The settings. See `SETTING_FIELDS` for what they mean. */
export interface Settings {
  readonly postgresUrl: string | null;
  readonly config: string | null;
  readonly relayName: string | null;
  readonly adopt: boolean;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "text" | "json";
  readonly leaseMs: number;
  readonly drainTimeoutMs: number;
  readonly maxConnections: number;
  readonly plugin: readonly string[];
  readonly pluginNet: readonly string[];
  readonly allowEnv: readonly string[];
  readonly allowFile: readonly string[];
}

/** Where settings come from. */
export interface SettingSources {
  /** Texts by setting name, as given on the command line; a list for a flag that may be repeated. */
  readonly flags: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The process's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of the file that `--config` names, or `null` without one. */
  readonly fileText: string | null;
  /** Settings that the command cannot do without. */
  readonly required?: readonly (keyof Settings)[];
}

/** Settings, or all that is wrong with them. */
export interface ResolvedSettings {
  readonly settings: Settings | null;
  readonly problems: readonly Problem[];
  /** What is probably a mistake but stops nothing: an environment variable that is nearly one of ours. */
  readonly notices: readonly string[];
}

/** The path of the configuration file, out of flags and environment, to read before {@link resolveSettings}. */
export function configPath({ flags, env }: Pick<SettingSources, "flags" | "env">): string | null {
  const flag = flags[CONFIG_SETTING];
  return (typeof flag === "string" ? flag : undefined) ?? env[variableOf(CONFIG_SETTING)] ?? null;
}

/** Resolve the settings. */
export function resolveSettings(sources: SettingSources): ResolvedSettings {
  const problems: Problem[] = [];
  const file = readFile(sources.fileText, problems);
  const values = new Map(SETTING_FIELDS.map((spec) => [spec.name, resolve(spec, sources, file, problems)]));
  // A file that cannot be read may well set what seems to be missing.
  const isFileRead = !problems.some(({ field }) => field === CONFIG_SETTING);
  for (const name of isFileRead ? sources.required ?? [] : []) {
    const field = [...values.keys()].find((candidate) => camelCase(candidate) === name)!;
    if (values.get(field) === null && !problems.some((problem) => problem.field === field)) {
      const places = `${flagOf(field)}, ${variableOf(field)} or ${field} in the --config file`;
      problems.push({ field, message: `Cannot start: ${field} is not set, expected ${places}` });
    }
  }
  const settings = problems.length > 0 ? null : toSettings(values);
  return { settings, problems, notices: noticesAbout(sources.env) };
}

interface Given {
  readonly value: Json;
  /** How the user wrote it: `--lease-ms`. */
  readonly place: string;
}

function resolve(
  spec: FieldSpec,
  { flags, env }: SettingSources,
  file: Readonly<Record<string, Json>>,
  problems: Problem[],
): Json {
  const given = firstGiven(spec, flags[spec.name], env[variableOf(spec.name)], file[spec.name]);
  if (given === null) return spec.default ?? null;
  const found = checkValue({ ...spec, name: given.place }, given.value);
  problems.push(...found.map(({ message }) => ({ field: spec.name, message })));
  return given.value;
}

function firstGiven(
  spec: FieldSpec,
  flag: string | readonly string[] | undefined,
  variable: string | undefined,
  fromFile: Json | undefined,
): Given | null {
  if (flag !== undefined) return { value: fromText(spec, flag), place: flagOf(spec.name) };
  // An empty variable is what a shell makes of one that is not set.
  if (variable !== undefined && variable !== "") {
    return { value: fromText(spec, variable), place: variableOf(spec.name) };
  }
  return fromFile === undefined || fromFile === null ? null : { value: fromFile, place: spec.name };
}

/** A text as a value of the field's type; what cannot be one stays a text, and the check says so. */
function fromText(spec: FieldSpec, text: string | readonly string[]): Json {
  if (spec.type === "list") {
    return typeof text === "string"
      ? text.split(",").map((item) => item.trim()).filter((item) => item !== "")
      : text;
  }
  const single = typeof text === "string" ? text : text.at(-1) ?? "";
  if (spec.type === "integer" && /^-?\d{1,15}$/.test(single)) return Number(single);
  if (spec.type === "boolean" && (single === "true" || single === "false")) return single === "true";
  return single;
}

function readFile(text: string | null, problems: Problem[]): Readonly<Record<string, Json>> {
  if (text === null) return {};
  const raw = parseObject(text, problems);
  const known = SETTING_FIELDS.map(({ name }) => name).filter((name) => name !== CONFIG_SETTING);
  for (const name of Object.keys(raw)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    const hint = nearest === null ? `expected one of ${known.join(", ")}` : `did you mean ${nearest}?`;
    problems.push({
      field: name,
      message: `Cannot use ${name.slice(0, 80)} in the --config file: there is no such setting, ${hint}`,
    });
  }
  return raw;
}

function parseObject(text: string, problems: Problem[]): Readonly<Record<string, Json>> {
  try {
    const raw = JSON.parse(text) as Json;
    if (isJsonObject(raw)) return raw;
    problems.push({
      field: CONFIG_SETTING,
      message: "Cannot read the --config file: expected a JSON object",
    });
  } catch (error) {
    // V8 quotes the text around the mistake, which may be a password: only these parts of its message are safe.
    const where = messageOf(error).match(/position \d+ \(line \d+ column \d+\)|^Unexpected token '.'/su)?.[0];
    const detail = where === undefined ? "" : ` (${where[0]!.toLowerCase()}${where.slice(1)})`;
    problems.push({
      field: CONFIG_SETTING,
      message: `Cannot read the --config file: it is not JSON${detail}`,
    });
  }
  return {};
}

/** The settings out of values that were checked against their declarations. */
function toSettings(values: ReadonlyMap<string, Json>): Settings {
  const text = (name: string) => oneText(values.get(name) ?? null);
  const number = (name: string) => Number(values.get(name));
  const list = (name: string) => manyTexts(values.get(name) ?? null);
  return {
    postgresUrl: text("postgres_url"),
    config: text("config"),
    relayName: text("relay_name"),
    adopt: values.get("adopt") === true,
    logLevel: LOG_LEVELS.find((level) => level === text("log_level")) ?? "info",
    logFormat: text("log_format") === "json" ? "json" : "text",
    leaseMs: number("lease_ms"),
    drainTimeoutMs: number("drain_timeout_ms"),
    maxConnections: number("max_connections"),
    plugin: list("plugin"),
    pluginNet: list("plugin_net"),
    allowEnv: list("allow_env"),
    allowFile: list("allow_file"),
  };
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

function oneText(value: Json): string | null {
  return typeof value === "string" ? value : null;
}

function manyTexts(value: Json): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

function noticesAbout(env: SettingSources["env"]): string[] {
  const known = SETTING_FIELDS.map(({ name }) => variableOf(name));
  return Object.keys(env).filter((name) => name.startsWith(ENV_PREFIX) && !known.includes(name)).flatMap(
    (name) => {
      const nearest = nearestName(name, known);
      return nearest === null
        ? []
        : [`The environment variable ${redactUrls(name)} has no meaning; did you mean ${nearest}?`];
    },
  );
}
