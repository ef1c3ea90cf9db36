/**
 * The plugins of a relay that starts. Those built in can be used at once; nobody waits for an external one, which may load
 * slowly or loop for ever, but the pipelines that use it.
 *
 * @module
 */

import type { Json } from "@pg-tide/sdk";
import { within } from "../base/within.ts";
import { HOST_LIMITS } from "./limits.ts";
import { type CatalogOptions, loadCatalog, PluginCatalog } from "./plugin_catalog.ts";

/** External plugins, each loaded for itself. */
export class PluginLoading {
  readonly #options: CatalogOptions;
  readonly #builtIn: Promise<PluginCatalog>;
  /** What is built in and the external plugins of a name, of which there should be one. */
  readonly #external: ReadonlyMap<string, Promise<PluginCatalog>>;

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#builtIn = loadCatalog({ ...options, external: [] });
    const byName = Map.groupBy(options.external, (entry) => entry.slice(0, entry.indexOf("=")));
    this.#external = new Map(
      [...byName].map(([name, external]) => [name, loadCatalog({ ...options, external })]),
    );
  }

  /**
   * Do something with each catalog when it is loaded. Waits for them as long as well-behaved plugins take; what takes longer goes
   * on behind, and must not fail.
   */
  async whenLoaded(use: (catalog: PluginCatalog) => Promise<void>): Promise<void> {
    const catalogs = [this.#builtIn, ...this.#external.values()];
    const used = Promise.all(catalogs.map((catalog) => catalog.then(use)));
    await within(this.#options.clock, HOST_LIMITS.loadPatienceMs, used);
  }

  /** The plugins that a pipeline's configuration is about, when they are loaded, and those that are built in. */
  async catalogFor(config: Json): Promise<PluginCatalog> {
    const named = Object.entries(config ?? {})
      .filter(([key]) => key === "sink_type" || key === "wire_format")
      .map(([, value]) => typeof value === "string" ? this.#external.get(value) : undefined);
    const loaded = await Promise.all(named.filter((catalog) => catalog !== undefined));
    const external = loaded.flatMap(({ plugins }) => plugins.filter(({ origin }) => origin === "external"));
    const { plugins } = await this.#builtIn;
    return new PluginCatalog([...plugins, ...external], loaded.flatMap(({ failures }) => failures));
  }
}
