/**
 * What a broker behind a proxy has been given, partition by partition: so that the proxy lies only as a broker could.
 *
 * @module
 */

import type { SentBatch } from "./produce_wire.ts";

interface PartitionEntry {
  /** Producer and epoch of the last batch. */
  producer: string;
  /** Numbers that the broker was given under it. */
  readonly given: Set<number>;
  /** Those of them whose acknowledgment has not reached the client. */
  readonly open: Set<number>;
}

/** Where a record batch has its checksum, which is the same when the same bytes are sent again. */
const CRC_AT = 17;

/** The ledger of all partitions. */
export class FaultLedger {
  /** How many batches came that had come before. */
  repeated = 0;
  readonly #partitions = new Map<string, PartitionEntry>();
  readonly #seen = new Set<string>();

  /** A client has sent this batch. */
  see(batch: SentBatch): void {
    const name = `${keyOf(batch)}/${batch.bytes.readUInt32BE(CRC_AT)}`;
    if (this.#seen.has(name)) this.repeated++;
    this.#seen.add(name);
  }

  /**
   * Whether a broker may say that it does not know this batch's producer or expected other numbers: the batch is new, and whatever
   * it was given before was acknowledged.
   */
  mayMiscount(batch: SentBatch): boolean {
    if (batch.producerId < 0n) return false;
    const entry = this.#partitions.get(keyOf(batch));
    if (entry === undefined) return true;
    return entry.open.size === 0 && this.isNew(batch);
  }

  /** Whether the broker was never given this batch. Without numbers nobody can tell, and nobody minds. */
  isNew(batch: SentBatch): boolean {
    const entry = this.#partitions.get(keyOf(batch));
    if (entry === undefined || batch.producerId < 0n) return true;
    return entry.producer !== producerOf(batch) || !entry.given.has(batch.sequence);
  }

  /** The broker is being given this batch. */
  give(batch: SentBatch): void {
    if (batch.producerId < 0n) return;
    const key = keyOf(batch);
    let entry = this.#partitions.get(key);
    if (entry?.producer !== producerOf(batch)) {
      entry = { producer: producerOf(batch), given: new Set(), open: new Set() };
      this.#partitions.set(key, entry);
    }
    entry.given.add(batch.sequence);
    entry.open.add(batch.sequence);
  }

  /** The client was told what became of this batch: an error that says it was not written, or that it was. */
  settle(batch: SentBatch): void {
    const entry = this.#partitions.get(keyOf(batch));
    if (entry?.producer === producerOf(batch)) entry.open.delete(batch.sequence);
  }
}

function keyOf({ topic, partition }: SentBatch): string {
  return `${topic}/${partition}`;
}

function producerOf({ producerId, epoch }: SentBatch): string {
  return `${producerId}/${epoch}`;
}
