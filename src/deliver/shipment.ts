/**
 * A page of records on its way: which of them are still to be delivered.
 *
 * @module
 */

import type { Answer, RecordPage, Rejection } from "@pg-tide/sdk";
import { invariant } from "../base/invariant.ts";
import { copyRecords, pickRecords } from "../record/copy.ts";
import type { Failure } from "../record/dead_letter.ts";
import type { Page } from "../record/page.ts";
import type { MessageProgress } from "../record/progress.ts";
import type { Casualty } from "./dead_letter_desk.ts";

/** A record that will not be delivered, and why. */
export interface Refused {
  readonly record: number;
  readonly failure: Failure;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
}

/** The messages of a page on their way, and where their outcomes go. */
export interface Consignment {
  /** The page as it was read, kept for dead letters. */
  readonly page: Page;
  readonly progress: MessageProgress;
  /** Attempts of a record that may end in `failed` before it is refused. */
  readonly attemptsMax: number;
  /** Takes messages that will not be delivered; each stays pending until that is durable. Resolves then, or when it has failed. */
  refuse(casualties: readonly Casualty[]): Promise<void>;
}

/** What a shipment is made of. */
export interface ShipmentParts {
  readonly records: RecordPage;
  /** For each record, the row of its message in the page that was read; `null` when they are the same. */
  readonly rows: Uint32Array | null;
  readonly messages: Consignment;
}

/** A page of records with its outcomes. */
export class Shipment {
  readonly parts: ShipmentParts;
  /** 1 where a record has its outcome. */
  readonly #done: Uint8Array;
  #open: number;
  /** The records given in the present attempt, or `null` for all. */
  #given: Uint32Array | null = null;
  /** Of the records given, how many of the first were delivered before the answer. */
  #progress = 0;
  #attempts: Map<number, number> | null = null;
  /** The generation in which the page was given last, or -1. */
  generation = -1;

  constructor(parts: ShipmentParts) {
    this.parts = parts;
    this.#open = parts.records.count;
    this.#done = new Uint8Array(parts.records.count);
  }

  /** Records without an outcome. */
  get open(): number {
    return this.#open;
  }

  /** Bytes that the page holds. */
  get bytes(): number {
    const { key, value, headers } = this.parts.records;
    return key.bytes.length + value.bytes.length + headers.bytes.length;
  }

  /** The row, in the page that was read, of a record's message. */
  rowOf(record: number): number {
    return this.parts.rows === null ? record : this.parts.rows[record]!;
  }

  /** The records without an outcome, as a copy that the sink may take. */
  give(): RecordPage {
    const { records } = this.parts;
    this.#progress = 0;
    if (this.#open === records.count) {
      this.#given = null;
      return copyRecords(records);
    }
    const given = new Uint32Array(this.#open);
    let n = 0;
    for (let i = 0; i < records.count; i++) if (this.#done[i] === 0) given[n++] = i;
    this.#given = given;
    return pickRecords(records, given);
  }

  /** The first `count` of the records given are delivered. Returns how many of them that was not known of. */
  progress(count: number): number {
    const known = this.#progress;
    for (; this.#progress < count; this.#progress++) this.#deliver(this.#progress);
    return this.#progress - known;
  }

  /**
   * Take the sink's answer to what was given.
   *
   * @returns the records that will not be delivered; their messages stay pending until they are dead letters
   */
  take(answer: Answer): Refused[] {
    for (let i = 0; i + 1 < answer.delivered.length; i += 2) {
      const first = Math.max(answer.delivered[i]!, this.#progress);
      for (let at = first; at < answer.delivered[i + 1]!; at++) this.#deliver(at);
    }
    const refused = answer.rejected.map((one) => this.#refuse(one, "rejected"));
    for (const one of answer.failed) {
      const attempts = this.#countAttempt(one);
      if (attempts >= this.parts.messages.attemptsMax) refused.push(this.#refuse(one, "exhausted"));
    }
    return refused;
  }

  #deliver(index: number): void {
    this.parts.messages.progress.settle(this.rowOf(this.#finish(index)));
  }

  #refuse({ index, code, reason }: Rejection, failure: Failure): Refused {
    const record = this.#finish(index);
    return { record, failure, code, reason, attempts: this.#attempts?.get(record) ?? 1 };
  }

  #countAttempt({ index }: Rejection): number {
    const record = this.#recordAt(index);
    this.#attempts ??= new Map();
    const attempts = (this.#attempts.get(record) ?? 0) + 1;
    this.#attempts.set(record, attempts);
    return attempts;
  }

  #finish(index: number): number {
    const record = this.#recordAt(index);
    invariant(this.#done[record] === 0, "a record gets one outcome");
    this.#done[record] = 1;
    this.#open--;
    return record;
  }

  #recordAt(index: number): number {
    return this.#given === null ? index : this.#given[index]!;
  }
}
