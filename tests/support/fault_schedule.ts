/**
 * What a {@link FaultProxy} does to each request, drawn from a seed.
 *
 * A decision depends on the seed and on which request it is (of which connection to which node), on nothing else: neither time nor what
 * else goes on. So the same seed meets the same requests with the same decisions.
 *
 * @module
 */

import { type Chance, chanceOf, oneOf } from "./chance.ts";
import { API_VERSIONS_KEY, INIT_PRODUCER_ID_KEY, METADATA_KEY } from "./metadata_wire.ts";
import { PRODUCE_KEY } from "./produce_wire.ts";

/** What may happen, and how often at most: how many of a hundred requests or connections. */
const MOST = {
  /** The connection is reset before the request reaches the broker. */
  "cut before": 6,
  /** The connection is reset when half of the request has. */
  "cut within": 4,
  /** The connection is reset when the broker has answered. */
  "cut after": 7,
  /** The connection is reset when half of the answer has arrived. */
  "cut answer": 4,
  /** The connection is reset, and the request reaches the broker a while later. */
  "late": 5,
  /** Nothing passes any more, in either direction. */
  "hang": 2,
  /** The broker gets everything, the client nothing any more. */
  "swallow": 2,
  /** Some partitions are answered with an error, and the broker does not get them. */
  "refuse": 14,
  /** The same, with an error that a person must mend: the generation ends at once, whatever is in flight. */
  "forbid": 4,
  /** The same, with an error about the producer or its numbers. */
  "miscount": 12,
  /** The broker writes, and its answer is changed into an error after which it may have written. */
  "deny": 12,
  /** The broker asks for a pause. */
  "throttle": 4,
  /** Bytes arrive a few at a time. */
  "dribble": 8,
  /** A partition gets another leader. */
  "move": 6,
  /** A partition has no leader, in one answer to Metadata. */
  "leaderless": 20,
  /** A connection is reset as soon as it is made. */
  "reset": 12,
  /** A connection is made, and nothing ever passes. */
  "mute": 3,
} as const;

/** What may happen. */
export type FaultKind = keyof typeof MOST;

/** All that may happen. */
export const FAULT_KINDS = Object.keys(MOST) as readonly FaultKind[];

/** How often each thing happens, between 0 and 1. */
export type FaultMix = Readonly<Record<FaultKind, number>>;

/** How many Produce requests may meet a fault: more of them would leave nothing that is delivered. */
const MOST_TOGETHER = 0.25;

/** Nothing happens. */
export const NO_FAULTS = mixBy(() => 0);

/** What may happen to which request; what may happen to connections is not among them. */
const ON_REQUESTS: ReadonlyMap<number, readonly FaultKind[]> = new Map([
  [PRODUCE_KEY, FAULT_KINDS.filter((kind) => !["leaderless", "reset", "mute"].includes(kind))],
  [METADATA_KEY, ["cut before", "cut after", "cut answer", "hang", "swallow", "dribble", "leaderless"]],
  [INIT_PRODUCER_ID_KEY, ["cut before", "cut after", "cut answer", "hang", "refuse", "dribble"]],
  [API_VERSIONS_KEY, ["cut before", "cut after", "cut answer", "hang", "dribble"]],
]);

/** A request, or with `request` 0 the connection itself. */
export interface Occasion {
  readonly node: number;
  /** The how manieth connection to the node, from 1. */
  readonly connection: number;
  /** The how manieth request of the connection, from 1. */
  readonly request: number;
}

/** What is done to a request. */
export interface Decision {
  readonly kind: FaultKind | null;
  /** How long the request, and its answer, are held. */
  readonly holdMs: number;
  readonly holdAnswerMs: number;
  /** The error that a fault is told with, where chance has no say. */
  readonly code?: number;
  /** The answer is held until then. */
  readonly until?: Promise<void>;
  /** For what else is to be decided about it. */
  readonly chance: Chance;
}

/** What a test wants to happen to one request. */
export type Planned = Partial<Omit<Decision, "chance">>;

/** Held requests and answers are held for less than this. */
const HOLD_MS = 12;

/** What happens in the run of `seed`: each kind of fault is left out of half of the runs, one that repeats records of more. */
export function mixOf(seed: number): FaultMix {
  const chance = chanceOf(seed);
  const mix = mixBy((kind) =>
    chance() < (kind === "forbid" ? 0.7 : 0.5) ? 0 : (0.2 + 0.8 * chance()) * MOST[kind] / 100
  );
  const sum = ON_REQUESTS.get(PRODUCE_KEY)!.reduce((total, kind) => total + mix[kind], 0);
  const scale = Math.min(1, MOST_TOGETHER / sum);
  return mixBy((kind) => mix[kind] * scale);
}

/** What is done to a request. */
export function decide(seed: number, mix: FaultMix, occasion: Occasion, apiKey: number): Decision {
  const chance = chanceOf(seed, occasion.node, occasion.connection, occasion.request, apiKey);
  const drawn = draw(chance(), mix, ON_REQUESTS.get(apiKey) ?? []);
  const hold = () => mix === NO_FAULTS || chance() < 0.7 ? 0 : HOLD_MS * chance();
  return { kind: drawn, holdMs: hold(), holdAnswerMs: hold(), chance };
}

/** What is done to a connection as soon as it is made. */
export function decideConnection(seed: number, mix: FaultMix, occasion: Occasion): "reset" | "mute" | null {
  const chance = chanceOf(seed, occasion.node, occasion.connection);
  return draw(chance(), mix, ["reset", "mute"] as const);
}

function draw<Kind extends FaultKind>(drawn: number, mix: FaultMix, kinds: readonly Kind[]): Kind | null {
  let left = drawn;
  for (const kind of kinds) {
    left -= mix[kind];
    if (left < 0) return kind;
  }
  return null;
}

function mixBy(rate: (kind: FaultKind) => number): FaultMix {
  return Object.fromEntries(FAULT_KINDS.map((kind) => [kind, rate(kind)])) as Record<FaultKind, number>;
}

/** Errors of a partition to which nothing was written. */
const NOT_WRITTEN = [3, 5, 6, 19, 56, 74, -1];
/** The same; only for a batch that is new, because a broker that had written it would say so. */
const NOT_WRITTEN_NEW = [2, 10];
/** Errors about the producer or its numbers. */
const NUMBERS = [45, 59, 47, 49, 90];
/** Errors after which the batch was written, or may have been. */
const WRITTEN = [7, 20, 13, 56, -1];
/** TOPIC_AUTHORIZATION_FAILED. */
export const FORBIDDEN = 29;
/** Errors of the coordinator of producer ids. */
const COORDINATOR = [14, 15, 16, 51];

/** The error that a broker answers without having written. @param fresh whether it never saw the batch, and it has several records */
export function refusalCode(chance: Chance, fresh: boolean): number {
  return oneOf(chance, fresh ? [...NOT_WRITTEN, ...NOT_WRITTEN_NEW] : NOT_WRITTEN);
}

/** An error about the producer or its numbers. */
export function numbersCode(chance: Chance): number {
  return oneOf(chance, NUMBERS);
}

/** An error that a broker answers although it has written. */
export function denialCode(chance: Chance): number {
  return oneOf(chance, WRITTEN);
}

/** An error of the coordinator of producer ids. */
export function coordinatorCode(chance: Chance): number {
  return oneOf(chance, COORDINATOR);
}
