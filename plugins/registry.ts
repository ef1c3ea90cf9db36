/**
 * The plugins that are built in, as data. Adding one takes its folder and one line here.
 *
 * @module
 */

import type { PluginDescription } from "./sdk/mod.ts";
import { MANIFEST as JSON_FORMAT } from "./format_json/manifest.ts";
import { MANIFEST as KAFKA_SINK } from "./sink_kafka/manifest.ts";
import { MANIFEST as STDOUT_SINK } from "./sink_stdout/manifest.ts";

/** A built-in plugin. */
export interface RegisteredPlugin {
  /** What it says of itself, without starting it. */
  readonly description: PluginDescription;
  /** The URL of its Worker's module. */
  readonly worker: string;
}

/** All built-in plugins. */
export const REGISTRY: readonly RegisteredPlugin[] = [
  { description: KAFKA_SINK, worker: import.meta.resolve("./sink_kafka/worker.ts") },
  { description: STDOUT_SINK, worker: import.meta.resolve("./sink_stdout/worker.ts") },
  { description: JSON_FORMAT, worker: import.meta.resolve("./format_json/worker.ts") },
];

/**
 * Modules that Workers start with. Nothing imports them, so `deno compile` must be told to include them. The last one is
 * where external plugins start.
 */
export const WORKER_ENTRIES: readonly string[] = [
  ...REGISTRY.map(({ worker }) => worker),
  import.meta.resolve("../src/host/lockdown.ts"),
];
