/**
 * A partition as a broker keeps it: its log, and what it remembers of producers.
 *
 * @module
 */

import type { ReadBatch, ReadRecord } from "./record_batch_reader.ts";

/** Codes of the protocol that a partition answers with. */
export const CODES = {
  none: 0,
  corrupt: 2,
  unknownTopic: 3,
  notLeader: 6,
  requestTimedOut: 7,
  tooLarge: 10,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  outOfOrder: 45,
  invalidEpoch: 47,
  invalidProducerId: 49,
  invalidRecord: 87,
} as const;

/** How the keys of records begin that no partition takes, and the answer to them. Only `named` ones are pointed out in it. */
export const POISONS: Readonly<Record<string, number>> = {
  large: CODES.tooLarge,
  named: CODES.invalidRecord,
  unnamed: CODES.invalidRecord,
  corrupt: CODES.corrupt,
};

/** Batches of a producer that are remembered. */
const REMEMBERED = 5;

interface ProducerState {
  epoch: number;
  next: number;
  /** First sequence numbers and counts of the last batches. */
  batches: { readonly sequence: number; readonly count: number }[];
}

/** A partition of {@link FakeCluster}. */
export class FakePartition {
  /** Keys and values in the order written. */
  readonly log: Pick<ReadRecord, "key" | "value">[] = [];
  leader: number;
  /** When the leader was elected. */
  movedAtMs = 0;
  readonly #producers = new Map<bigint, ProducerState>();

  constructor(leader: number) {
    this.leader = leader;
  }

  /** Append a batch as a leader does, unless one of its records is one of {@link POISONS}. @returns the error code */
  append(batch: ReadBatch): number {
    const poison = batch.records.map(({ key }) => POISONS[kindOf(key)]).find((code) => code !== undefined);
    if (poison !== undefined) return poison;
    const { producerId, epoch, sequence, records } = batch;
    if (producerId >= 0n) {
      const state = this.#producers.get(producerId);
      const code = state === undefined ? undefined : this.#check(state, batch);
      if (code !== undefined) return code;
      const batches = state?.epoch === epoch ? state.batches : [];
      batches.push({ sequence, count: records.length });
      if (batches.length > REMEMBERED) batches.shift();
      this.#producers.set(producerId, { epoch, next: sequence + records.length, batches });
    }
    for (const { key, value } of records) this.log.push({ key, value });
    return CODES.none;
  }

  /** Another broker leads, and knows nothing of the producers. */
  forgetProducers(): void {
    this.#producers.clear();
  }

  /** Why a numbered batch is not appended; undefined when it is. */
  #check(state: ProducerState, { epoch, sequence, records }: ReadBatch): number | undefined {
    if (epoch < state.epoch) return CODES.invalidEpoch;
    if (epoch > state.epoch) return sequence === 0 ? undefined : CODES.outOfOrder;
    const known = state.batches.some((one) => one.sequence === sequence && one.count === records.length);
    if (known) return CODES.none;
    return sequence === state.next ? undefined : CODES.outOfOrder;
  }
}

/** How a key begins, up to its first hyphen; empty without one. */
export function kindOf(key: Uint8Array | null): string {
  return new TextDecoder().decode(key ?? new Uint8Array(0)).split("-")[0]!;
}
