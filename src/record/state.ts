/**
 * How a pipeline's delivery stands, as a user sees it.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";

/**
 * `waiting`: an outage is waited out; nobody has to act, unless it is a plugin's fault. `blocked`: it cannot work as configured; a person must act, and `advice`
 * says how.
 */
export type DeliveryState =
  | { readonly state: "running" }
  | {
    readonly state: "waiting";
    readonly code: string;
    readonly reason: string;
    readonly advice: string | null;
  }
  | { readonly state: "blocked"; readonly code: string; readonly reason: string; readonly advice: string };

const FAULTY_PLUGIN =
  "The plugin is started again by itself. If this goes on, correct the plugin and start the relay again.";

/** The state that a plugin's fault puts its pipeline in. */
export function stateOf(fault: Fault): DeliveryState {
  switch (fault.kind) {
    case "hosts":
      return {
        state: "waiting",
        code: "NEW_HOSTS",
        reason: `The plugin must reach ${fault.hosts.join(", ")}`,
        advice: null,
      };
    case "unavailable":
      return {
        state: "waiting",
        code: fault.code,
        reason: fault.reason,
        advice: fault.code.startsWith("PLUGIN_") ? FAULTY_PLUGIN : null,
      };
    case "configuration":
      return { state: "blocked", code: fault.code, reason: fault.reason, advice: fault.advice };
  }
}
