/**
 * Which fault is told when several brokers were tried and each has one. Pure.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";

/** From what says least to what must be mended first. */
const WEIGHTS = ["unreachable", "unavailable", "hosts", "configuration"];

/**
 * The gravest fault, the first of several. What more hosts would mend goes before an outage, and what a person must mend before
 * both. What a broker has answered says more than those that are not there: dead entries in a list are usual.
 *
 * @param faults one for each broker, at least one, in the same order whenever they are told
 */
export function gravestOf(faults: readonly Fault[]): Fault {
  const gravest = faults.reduce((one, next) => weightOf(next) > weightOf(one) ? next : one);
  const others = faults.length - 1;
  if (gravest.kind !== "unavailable" || others < 1) return gravest;
  const which = others === 1 ? "the other broker" : `any of the ${others} other brokers`;
  return { ...gravest, reason: `${gravest.reason}. Nor does it work with ${which}` };
}

function weightOf(fault: Fault): number {
  const isUnreachable = fault.kind === "unavailable" && fault.code === "BROKER_UNREACHABLE";
  return WEIGHTS.indexOf(isUnreachable ? "unreachable" : fault.kind);
}
