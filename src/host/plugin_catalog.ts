/**
 * The plugins that a relay knows: those built in, and those that the operator brought.
 *
 * @module
 */

import type { PluginDescription, PluginKind } from "@pg-tide/sdk";
import type { Clock } from "../base/clock.ts";
import { EXIT, messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/telemetry.ts";
import { readDescription } from "./guard.ts";
import { noGrant, type Origin } from "./grant.ts";
import {
  describePlace,
  parsePluginReference,
  type PluginReference,
  readPluginSource,
} from "./plugin_source.ts";
import { screenSource } from "./screen.ts";
import { type WorkerEntry, WorkerHost } from "./worker_host.ts";

/** A plugin that is built in: its description as data, and the URL of its Worker's module. */
export interface BuiltInPlugin {
  readonly description: PluginDescription;
  readonly worker: string;
}

/** A plugin that can be started. */
export interface KnownPlugin {
  readonly description: PluginDescription;
  readonly origin: Origin;
  readonly entry: WorkerEntry;
  /** Where it comes from, for a person: `built in`, a path or a URL. */
  readonly place: string;
  /** SHA-256 of an external plugin's source. */
  readonly sha256: string | null;
}

/** An external plugin that cannot be used. The others can. */
export interface PluginFailure {
  readonly name: string;
  readonly error: UserError;
}

/** How external plugins are loaded. */
export interface LoadOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Why a description cannot be used here, or `null`: fields of the kernel's names, for example. */
  readonly objection?: (description: PluginDescription) => string | null;
}

/** What a catalog is made from. */
export interface CatalogOptions extends LoadOptions {
  readonly builtIn: readonly BuiltInPlugin[];
  /** Entries of `--plugin`. */
  readonly external: readonly string[];
}

/** The plugins of a relay. */
export class PluginCatalog {
  readonly plugins: readonly KnownPlugin[];
  readonly failures: readonly PluginFailure[];

  constructor(plugins: readonly KnownPlugin[], failures: readonly PluginFailure[]) {
    this.plugins = plugins;
    this.failures = failures;
  }

  /** What all plugins say of themselves. */
  get descriptions(): readonly PluginDescription[] {
    return this.plugins.map(({ description }) => description);
  }

  /** The plugin of that kind and name. */
  find(kind: PluginKind, name: string): KnownPlugin | null {
    return this.plugins.find(({ description }) => description.kind === kind && description.name === name) ??
      null;
  }
}

const AUTHOR = "The plugin's author must change its description.";

/** Where external plugins start. */
const LOCKDOWN = import.meta.resolve("./lockdown.ts");

/** Load the catalog. An external plugin that is unusable is a failure of its own, never an error of the whole. */
export async function loadCatalog(options: CatalogOptions): Promise<PluginCatalog> {
  const known = options.builtIn.map(fromBuiltIn);
  const loaded = await Promise.all(options.external.map((entry) => tryLoad(entry, options)));
  const failures: PluginFailure[] = [];
  for (const result of loaded) {
    if ("error" in result) failures.push(result);
    else if (known.some(({ description }) => sameName(description, result.description))) {
      failures.push({ name: result.description.name, error: nameTaken(result) });
    } else known.push(result);
  }
  return new PluginCatalog(known, failures);
}

/**
 * Load one external plugin: read, screen, and let it describe itself in a Worker that may touch nothing.
 *
 * @throws {UserError} saying what is wrong with it
 */
export async function loadExternal(
  reference: PluginReference,
  options: LoadOptions,
): Promise<KnownPlugin> {
  const plugin = await load(reference, options);
  const { name } = plugin.description;
  if (name === reference.name) return plugin;
  throw unusable(reference.name, `it calls itself "${name}"`, `Name it so: --plugin ${name}=…`);
}

/**
 * Load the plugin in a file, whatever it calls itself.
 *
 * @throws {UserError} saying what is wrong with it
 */
export function loadFile(path: string, options: LoadOptions): Promise<KnownPlugin> {
  return load({ name: path, place: { kind: "file", path }, sha256: null }, options);
}

async function load(reference: PluginReference, options: LoadOptions): Promise<KnownPlugin> {
  const { name } = reference;
  const { module, sha256 } = screenSource(name, await readPluginSource(reference));
  const entry = { url: LOCKDOWN, load: module };
  const description = await describe(name, entry, options);
  if ((description.permissions.assets ?? []).length > 0) {
    throw unusable(name, "it asks for packaged files, but an external plugin is one file", AUTHOR);
  }
  const objection = options.objection?.(description) ?? null;
  if (objection !== null) throw unusable(name, objection, AUTHOR);
  return { description, origin: "external", entry, place: describePlace(reference), sha256 };
}

async function tryLoad(entry: string, options: CatalogOptions): Promise<KnownPlugin | PluginFailure> {
  try {
    return await loadExternal(parsePluginReference(entry), options);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { name: entry.split("=", 1)[0]!.slice(0, 100), error };
  }
}

/** What an external plugin says of itself, without any permission. */
async function describe(
  plugin: string,
  entry: WorkerEntry,
  { clock, log }: LoadOptions,
): Promise<PluginDescription> {
  try {
    const host = await WorkerHost.start({ plugin, entry, grant: noGrant(), clock, log });
    host.terminate();
    return host.description;
  } catch (error) {
    const advice =
      "Correct the plugin: its module must call defineSink or defineFormat at once, and not throw, exit or loop.";
    throw new UserError(messageOf(error), {
      code: "PLUGIN_START",
      advice,
      exitCode: EXIT.usage,
      cause: error,
    });
  }
}

function fromBuiltIn({ description: given, worker }: BuiltInPlugin): KnownPlugin {
  // Read like everybody's, so that it is comparable with what its Worker says.
  const description = readDescription(given);
  return { description, origin: "first_party", entry: { url: worker }, place: "built in", sha256: null };
}

function sameName(a: PluginDescription, b: PluginDescription): boolean {
  return a.kind === b.kind && a.name === b.name;
}

function nameTaken({ description: { kind, name } }: KnownPlugin): UserError {
  return unusable(name, `there is a ${kind} of that name already`, "Give the plugin a name of its own.");
}

function unusable(name: string, reason: string, advice: string): UserError {
  return new UserError(`Cannot use plugin "${name}": ${reason}`, {
    code: "PLUGIN_UNUSABLE",
    advice,
    exitCode: EXIT.usage,
  });
}
