/**
 * Runs round after round and adds up what came of them.
 *
 * @module
 */

import type { FaultKind } from "../support/fault_schedule.ts";
import type { SoakOptions } from "./arguments.ts";
import { kindOf, type RoundKind, type RoundResult } from "./rounds.ts";

/** The first promise that was broken. */
export interface Violation {
  readonly seed: number;
  readonly error: unknown;
}

/** What came of all rounds. */
export interface Tally {
  readonly rounds: Map<RoundKind, number>;
  readonly faults: Map<FaultKind, number>;
  records: number;
  retries: number;
  /** How often records were given to the sink again. */
  ended: number;
  repeated: number;
  /** Rounds in which nothing might stand anywhere twice. */
  exact: number;
  violation?: Violation;
}

/** What the rounds need. */
export interface SoakPorts {
  /** Run a round. Rejects when a promise is broken. */
  readonly run: (seed: number) => Promise<RoundResult>;
  /** Ends the soak after the round that is under way. */
  readonly signal: AbortSignal;
  /** Takes a line before and after each round. */
  readonly progress: (line: string) => void;
}

/** Run rounds until the time is over, all are run, or a promise is broken. */
export async function soak(
  { minutes, rounds = Infinity, seed: first }: Pick<SoakOptions, "minutes" | "rounds" | "seed">,
  { progress, run, signal }: SoakPorts,
): Promise<Tally> {
  const tally = emptyTally();
  const endMs = performance.now() + minutes * 60_000;
  for (let round = 0; round < rounds && performance.now() < endMs && !signal.aborted; round++) {
    const seed = first + round;
    const startMs = performance.now();
    progress(`seed ${seed}: ${kindOf(seed)}`);
    try {
      const result = await run(seed);
      add(tally, result);
      const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
      progress(`seed ${seed}: good after ${seconds} s, ${describe(result)}`);
    } catch (error) {
      return { ...tally, violation: { seed, error } };
    }
  }
  return tally;
}

/** Nothing yet. */
export function emptyTally(): Tally {
  return { rounds: new Map(), faults: new Map(), records: 0, retries: 0, ended: 0, repeated: 0, exact: 0 };
}

/** Add what came of a round. */
export function add(tally: Tally, result: RoundResult): void {
  increase(tally.rounds, result.kind, 1);
  for (const [kind, count] of result.faults) increase(tally.faults, kind, count);
  tally.records += result.records;
  tally.retries += result.retries;
  tally.ended += result.ended;
  tally.repeated += result.repeated;
  if (result.exact) tally.exact++;
}

function increase<Kind>(counts: Map<Kind, number>, kind: Kind, by: number): void {
  counts.set(kind, (counts.get(kind) ?? 0) + by);
}

function describe({ exact, faults, repeated, retries }: RoundResult): string {
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const twice = exact ? "each record once" : `${repeated} repeated`;
  return `${total} faults, ${retries} retries, ${twice}`;
}
