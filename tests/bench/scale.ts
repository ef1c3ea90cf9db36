/**
 * How long everything runs. Pure.
 *
 * @module
 */

/** The sizes of a run. */
export interface Scale {
  /** Messages of a backlog. */
  readonly backlog: number;
  /** How often the relay and the native producer take turns. */
  readonly rounds: number;
  /** Megabytes of larger values in a turn. */
  readonly valueMB: number;
  /** Messages that the broker has to take before anything is measured. */
  readonly brokerWarmUp: number;
  /** Seconds of steady load that are measured, after those that are not. */
  readonly steadyS: number;
  readonly steadyWarmUpS: number;
  /** Messages sent one at a time to an idle relay. */
  readonly idleMessages: number;
  /** Seconds in which a relay with nothing to do is watched. */
  readonly idleS: number;
  /** How often publishing and inserting take turns, and the seconds of a turn. */
  readonly publishTurns: number;
  readonly publishS: number;
  /** Calls in each turn of the loop on the server. */
  readonly publishCalls: number;
  readonly deadLetters: number;
}

/** What the figures of the README come from: about 12 minutes. */
export const FULL: Scale = {
  backlog: 400_000,
  rounds: 3,
  valueMB: 400,
  brokerWarmUp: 1_000_000,
  steadyS: 12,
  steadyWarmUpS: 3,
  idleMessages: 200,
  idleS: 30,
  publishTurns: 5,
  publishS: 3,
  publishCalls: 20_000,
  deadLetters: 1_000_000,
};

/** A few minutes, and more noise. */
export const QUICK: Scale = {
  backlog: 60_000,
  rounds: 2,
  valueMB: 80,
  brokerWarmUp: 300_000,
  steadyS: 4,
  steadyWarmUpS: 2,
  idleMessages: 40,
  idleS: 10,
  publishTurns: 5,
  publishS: 1,
  publishCalls: 5_000,
  deadLetters: 200_000,
};
