/**
 * Plugins in their Workers.
 *
 * A plugin never runs in the kernel. It is described by data, gets a grant computed from that description, the pipeline's
 * configuration and the operator's policy, and runs in a Worker that may touch only what the grant names. Whatever such a
 * Worker sends is checked before use; one that hangs, exits, crashes or breaks the contract costs its pipeline a restart and
 * nobody else anything.
 *
 * Built-in plugins are trusted as this program is: their grant keeps a mistake in a client library small. External ones
 * (`--plugin`) are not: they are one JavaScript file, screened before it runs (`screen.ts`), and loaded by a module that
 * takes away what permissions do not guard (`lockdown.ts`).
 *
 * What is left to an external plugin: memory (a Worker that exhausts the heap ends the process), processor time until its
 * heartbeat is missed, and the hosts of its grant, to which it can send what it was given.
 *
 * @module
 */

export { FormatHost } from "./format_host.ts";
export { computeGrant, type Grant, type Origin } from "./grant.ts";
export {
  type BuiltInPlugin,
  type CatalogOptions,
  type KnownPlugin,
  loadCatalog,
  loadExternal,
  loadFile,
  type LoadOptions,
  PluginCatalog,
  type PluginFailure,
} from "./plugin_catalog.ts";
export { PluginCrashed } from "./plugin_crashed.ts";
export { createPluginOpener, type PluginOpenerOptions } from "./plugin_opener.ts";
export { PluginLoading } from "./plugin_loading.ts";
export type { PluginSessionOptions } from "./plugin_session.ts";
export { parsePluginReference } from "./plugin_source.ts";
export { parsePluginPolicy, type PluginPolicy } from "./policy.ts";
export { SinkHost } from "./sink_host.ts";
