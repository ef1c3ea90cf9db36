/**
 * The end of a plugin's Worker that nobody asked for.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";

/**
 * How a Worker ended:
 *
 * - `PLUGIN_START`: it did not load, or did not say hello in time;
 * - `PLUGIN_FAILED`: an error that nobody caught, or it ended itself;
 * - `PLUGIN_HUNG`: it no longer answers;
 * - `PLUGIN_PROTOCOL`: it sent what the contract does not allow;
 * - `PLUGIN_GRANT`: the relay itself may not touch what it would have to grant;
 * - `PLUGIN_CLOSED`: the relay ended it.
 */
export type CrashCode =
  | "PLUGIN_START"
  | "PLUGIN_FAILED"
  | "PLUGIN_HUNG"
  | "PLUGIN_PROTOCOL"
  | "PLUGIN_GRANT"
  | "PLUGIN_CLOSED";

/** A plugin's Worker has ended; the message names the plugin and says why. Costs nobody but its pipeline. */
export class PluginCrashed extends Error {
  override readonly name = "PluginCrashed";
  readonly plugin: string;
  readonly code: CrashCode;

  constructor(plugin: string, code: CrashCode, reason: string, options?: ErrorOptions) {
    super(`Plugin "${plugin}" ${reason}`, options);
    this.plugin = plugin;
    this.code = code;
  }
}

/** The fault that the kernel goes on with: a crash is an outage, what the relay may not grant is configuration. */
export function faultOfCrash(crash: PluginCrashed): Fault {
  if (crash.code === "PLUGIN_GRANT") {
    const advice = "Start the relay with the permission, or point the pipeline at hosts that it may reach.";
    return { kind: "configuration", code: crash.code, reason: crash.message, advice };
  }
  return { kind: "unavailable", code: crash.code, reason: crash.message };
}
