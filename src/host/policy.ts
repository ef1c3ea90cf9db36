/**
 * What the operator says about plugins.
 *
 * @module
 */

import { EXIT, type Problem, UserError } from "../base/errors.ts";
import { parseAddress } from "./address.ts";

/** The operator's word, beyond what a description derives from a configuration. */
export interface PluginPolicy {
  /**
   * Hosts (`host:port`) by the plugin's name: an external plugin may reach them besides, a first-party one if its configuration
   * names them and they are guarded.
   */
  readonly net: ReadonlyMap<string, readonly string[]>;
}

/**
 * Understand the entries of `--plugin-net`: `NAME=host:port`, or several hosts with commas between them.
 *
 * @throws {UserError} with every entry that is wrong
 */
export function parsePluginPolicy(entries: readonly string[]): PluginPolicy {
  const net = new Map<string, string[]>();
  const problems: Problem[] = [];
  for (const entry of entries) {
    const [, name, hosts] = /^([a-z][a-z0-9_]{0,62})=(.+)$/s.exec(entry) ?? [];
    const addresses = hosts?.split(",").map(parseAddress) ?? [null];
    if (name === undefined || addresses.includes(null)) {
      const message = `Cannot use --plugin-net ${
        JSON.stringify(entry.slice(0, 300))
      }: expected NAME=host:port`;
      problems.push({ field: "plugin_net", message });
      continue;
    }
    net.set(name, [...(net.get(name) ?? []), ...addresses.filter((address) => address !== null)]);
  }
  if (problems.length > 0) {
    throw new UserError(problems.map(({ message }) => message).join("; "), {
      code: "PLUGIN_NET",
      advice: "Write each host with its port: --plugin-net my_sink=api.example.com:443",
      exitCode: EXIT.usage,
      problems,
    });
  }
  return { net };
}
