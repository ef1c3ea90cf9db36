/**
 * A batch: records of one partition that travel together, are acknowledged together and are sent again together.
 *
 * @module
 */

import type { Codec } from "../record/compression.ts";
import type { PageDelivery } from "./page_delivery.ts";
import { RecordBatchBuilder } from "../record/record_batch.ts";
import type { Producer } from "../cluster/cluster_port.ts";

/** One record of a batch: where it came from. */
export interface Member {
  readonly delivery: PageDelivery;
  readonly index: number;
}

/** Records of one partition in the form of a Kafka record batch, and where each of them came from. */
export class Batch {
  /** When the first record was appended, in milliseconds of the sink's clock; `linger_ms` and `delivery_timeout_ms` count from it. */
  readonly createdAtMs: number;
  /** Whether no more records may be appended. */
  closed = false;
  /** How often it was handed to a broker. */
  attempts = 0;
  /** How often a broker found it damaged. */
  suspicions = 0;
  /** Whether a broker may have written it without saying so. */
  mayBeWritten = false;
  /** Rises from one sent batch to the next: the order in which those that come back must be sent again. */
  order = 0;
  /** The first sequence number given to it, or -1. A batch with one is sent again with the same. */
  sequence = -1;
  /** The producer that gave it its numbers. */
  producer: Producer | undefined;
  /** Rises from one batch of its partition to the next as they are sent for the first time; 0 before that. */
  ordinal = 0;
  /** Its bytes as they were sent, once sealed. */
  bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly #builder: RecordBatchBuilder;
  /** Pages in the order of their records, and the first of `#indexes` that belongs to each. */
  readonly #pages: PageDelivery[] = [];
  readonly #starts: number[] = [];
  readonly #indexes: number[] = [];

  constructor(memory: Uint8Array<ArrayBuffer>, createdAtMs: number) {
    this.#builder = new RecordBatchBuilder(memory);
    this.createdAtMs = createdAtMs;
  }

  /** Number of records. */
  get count(): number {
    return this.#indexes.length;
  }

  /** Bytes without compression. */
  get recordBytes(): number {
    return this.#builder.byteLength;
  }

  /** Bytes as they will be or were sent; before it is sealed, without compression. */
  get byteLength(): number {
    return this.bytes?.length ?? this.#builder.byteLength;
  }

  /** The pages that its records came from. */
  get pages(): readonly PageDelivery[] {
    return this.#pages;
  }

  /** Append record `index` of `delivery`; see {@link RecordBatchBuilder.append}. */
  append(delivery: PageDelivery, index: number, timestampMs: number, limit: number): boolean {
    if (!this.#builder.append(delivery.page, index, timestampMs, limit)) return false;
    if (this.#pages[this.#pages.length - 1] !== delivery) {
      this.#pages.push(delivery);
      this.#starts.push(this.#indexes.length);
    }
    this.#indexes.push(index);
    return true;
  }

  /** Close and compress it. Returns memory that is free again, if there is any: without a codec the batch keeps it. */
  seal(codec: Codec): Uint8Array<ArrayBuffer> | undefined {
    this.closed = true;
    if (this.bytes !== undefined) return undefined;
    this.bytes = this.#builder.seal(codec);
    return codec.compress === undefined ? undefined : this.#builder.memory;
  }

  /** The memory of an acknowledged batch that was sent without compression, to be used again. */
  memoryOf(codec: Codec): Uint8Array<ArrayBuffer> | undefined {
    return codec.compress === undefined ? this.#builder.memory : undefined;
  }

  /** Every record was delivered. */
  deliver(): void {
    for (let p = 0; p < this.#pages.length; p++) {
      const delivery = this.#pages[p]!;
      const end = this.#starts[p + 1] ?? this.#indexes.length;
      for (let i = this.#starts[p]!; i < end; i++) delivery.deliver(this.#indexes[i]!);
      delivery.tellProgress();
    }
  }

  /** Its records, in order. */
  members(): Member[] {
    const members: Member[] = [];
    for (let p = 0; p < this.#pages.length; p++) {
      const end = this.#starts[p + 1] ?? this.#indexes.length;
      for (let i = this.#starts[p]!; i < end; i++) {
        members.push({ delivery: this.#pages[p]!, index: this.#indexes[i]! });
      }
    }
    return members;
  }
}
