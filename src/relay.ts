/**
 * The composition root: a relay is its database, its plugins, and a supervisor of pipelines. No logic of its own.
 *
 * @module
 */

import { REGISTRY } from "../plugins/registry.ts";
import type { Clock } from "./base/clock.ts";
import { messageOf } from "./base/errors.ts";
import { LIMITS } from "./base/limits.ts";
import type { SecretKeeper } from "./base/secrets.ts";
import type { Logger } from "./base/telemetry.ts";
import { within } from "./base/within.ts";
import { catalogEntry, fieldObjection } from "./config/compose.ts";
import { MACHINE_PORTS } from "./config/interpolate.ts";
import { KERNEL_DESCRIPTION } from "./config/kernel_fields.ts";
import type { Settings } from "./config/settings.ts";
import {
  createPluginOpener,
  parsePluginPolicy,
  type PluginCatalog,
  PluginLoading,
  type PluginPolicy,
} from "./host/mod.ts";
import { PostgresCatalog } from "./pg/catalog.ts";
import { parseConnectionUrl } from "./pg/connection_url.ts";
import { connect, type Database } from "./pg/database.ts";
import { PostgresPipelineStore } from "./pg/pipeline_store.ts";
import { registerPlugins } from "./pg/plugin_catalog.ts";
import type { PipelineSpec, Preparer } from "./run/mod.ts";
import { Pipeline } from "./run/pipeline.ts";
import { createPreparer } from "./run/preparer.ts";
import { redactedStore } from "./run/redacted_store.ts";
import { Supervisor } from "./run/supervisor.ts";

/** What a relay needs. */
export interface RelayOptions {
  readonly settings: Settings;
  /** Its name in leases and in `status`. */
  readonly name: string;
  readonly version: string;
  readonly log: Logger;
  /** Told of every secret that the relay resolves. */
  readonly secrets: SecretKeeper;
  readonly clock: Clock;
}

/** A running relay. */
export interface Relay {
  /** Finish what is in flight, save, give up the leases, disconnect. */
  stop(): Promise<void>;
}

/**
 * Start a relay.
 *
 * @throws {UserError} when the database cannot be used
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { settings, name, version, log, secrets, clock } = options;
  const { plugin: external } = settings;
  const plugins = new PluginLoading({ builtIn: REGISTRY, external, clock, log, objection: fieldObjection });
  const url = settings.postgresUrl!;
  secrets.add([parseConnectionUrl(url).password ?? ""]);
  const db = await connect({
    url,
    maxConnections: settings.maxConnections,
    applicationName: `pg-tide ${name}`,
    clock,
  });
  try {
    const catalog = new PostgresCatalog(db, { name, version });
    await catalog.register();
    await registerPlugins(db, [KERNEL_DESCRIPTION]);
    await plugins.whenLoaded((loaded) => announce(loaded, db, log));
    const supervisor = new Supervisor({ catalog, create: pipelineFactory(options, db, plugins), clock, log });
    supervisor.start();
    return { stop: () => stopAll(options, supervisor, catalog, db) };
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** Tell the log and the database of plugins. */
async function announce({ descriptions, failures }: PluginCatalog, db: Database, log: Logger): Promise<void> {
  for (const { error } of failures) log.error(error.message, { code: error.code, advice: error.advice });
  try {
    await registerPlugins(db, descriptions.map(catalogEntry));
  } catch (error) {
    log.warn("Cannot make plugins known to tide.relay_set_outbox", { reason: messageOf(error) });
  }
}

function pipelineFactory(
  options: RelayOptions,
  db: Database,
  plugins: PluginLoading,
): (spec: PipelineSpec) => Pipeline {
  const { settings, name, log, clock, secrets } = options;
  const policy = parsePluginPolicy(settings.pluginNet);
  const preparer: Preparer = {
    prepare: async (spec) => {
      const catalog = await plugins.catalogFor(spec.config);
      return await preparerWith(options, catalog, policy).prepare(spec);
    },
  };
  return (spec) => {
    const pipelineLog = log.with({ pipeline: spec.name });
    const { leaseMs, drainTimeoutMs: drainMs, adopt } = settings;
    const store = new PostgresPipelineStore({
      db,
      pipeline: spec.name,
      holder: name,
      adopt,
      log: pipelineLog,
    });
    return new Pipeline({
      spec,
      store: redactedStore(store, (text) => secrets.redact(text)),
      preparer,
      clock,
      log: pipelineLog,
      leaseMs,
      drainMs,
    });
  };
}

function preparerWith(
  { settings, log, secrets, clock }: RelayOptions,
  plugins: PluginCatalog,
  policy: PluginPolicy,
): Preparer {
  return createPreparer({
    catalog: plugins.descriptions,
    unusable: new Map(plugins.failures.map((failure) => [failure.name, failure.error.message])),
    policy: settings,
    ports: MACHINE_PORTS,
    onSecrets: (resolved) => secrets.add(resolved),
    open: createPluginOpener({ plugins, policy, clock, log }),
  });
}

/** Ends within the drain time and a few seconds, also when the database hangs. */
async function stopAll(
  { settings, clock, log }: RelayOptions,
  supervisor: Supervisor,
  catalog: PostgresCatalog,
  db: Database,
): Promise<void> {
  const withinMs = settings.drainTimeoutMs + 3 * LIMITS.shutdownMs;
  const stopped = await within(clock, withinMs, supervisor.stop().then(() => true));
  if (stopped === undefined) {
    log.warn("Ended before everything was saved: it is delivered again by the next relay", { withinMs });
  }
  // A database that is away learns of it when the name is seen no more.
  await within(clock, LIMITS.shutdownMs, catalog.unregister().catch(() => {}));
  await db.close();
}
