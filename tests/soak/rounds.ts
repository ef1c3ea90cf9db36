/**
 * The kinds of rounds: which one a seed is, and how it is run.
 *
 * @module
 */

import { type FaultRun, type FaultRunResult, runThroughFaults } from "../support/fault_run.ts";
import { openKafkaSink } from "../support/kafka_sink.ts";
import { runRelay } from "./relay_round.ts";
import type { SoakServers } from "./servers.ts";

/** What is run. */
export const ROUND_KINDS = ["idempotent", "not idempotent", "in its Worker", "whole relay"] as const;

/** A kind of round. */
export type RoundKind = typeof ROUND_KINDS[number];

/** What came of a round in which every promise was kept. */
export interface RoundResult extends FaultRunResult {
  readonly kind: RoundKind;
  /** How many records were to be delivered. */
  readonly records: number;
}

/** Records of a round of the sink. */
const COUNT = 4_000;

/** The kind of the round with this seed. */
export function kindOf(seed: number): RoundKind {
  return ROUND_KINDS[seed % ROUND_KINDS.length]!;
}

/** Run a round. @throws Error that names the seed and shows what was done, when a promise is broken */
export async function runRound(seed: number, servers: SoakServers): Promise<RoundResult> {
  const kind = kindOf(seed);
  if (kind === "whole relay") return { kind, ...await runRelay(seed, servers) };
  const run: FaultRun = {
    seed,
    count: COUNT,
    idempotent: kind !== "not idempotent",
    ...(kind === "in its Worker" ? { open: openKafkaSink } : {}),
  };
  return { kind, records: COUNT, ...await runThroughFaults(servers.kafka, run) };
}
