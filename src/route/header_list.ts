/**
 * The record headers of a page's messages, as header lists in one buffer.
 *
 * Most of a header list is the same from message to message: only the digits of its id differ. So the common part stands
 * ready as bytes, once for each op and number of digits, and is copied.
 *
 * @module
 */

import { type Column, encodeHeaders, type Header, OPS, varintLength, writeVarint } from "@pg-tide/sdk";

/** The start of header names that are the relay's own. */
export const RESERVED_PREFIX = "pg_tide_";

/** What is the same for every message of a pipeline. */
export interface HeaderFacts {
  /** The outbox's bare name. */
  readonly outbox: string;
  /** Tells this outbox's numbering from that of one dropped and created again. */
  readonly incarnation: string;
  /** The pipeline's own headers. */
  readonly fixed: ReadonlyMap<string, string>;
}

/** What is particular about the header list of a dead letter that is sent again. */
export interface Again {
  /** The first part of its `pg_tide_id`. */
  readonly incarnation: string;
  /** How often it was sent again, with this time. */
  readonly retry: number;
}

const ENCODER = new TextEncoder();
const ID_HEADER = "pg_tide_id";
const DEDUP_NAME = ENCODER.encode("pg_tide_dedup_key");
const RETRY_NAME = ENCODER.encode("pg_tide_retry");
/** Each failover of the database makes one more; what is more than this was not made by failovers. */
const INCARNATIONS_KEPT = 16;
/** Ids are below 2^53: at most 16 digits. */
const DIGITS_MAX = 16;
const ZERO = 0x30;

/** The prepared parts of a pipeline's header lists. */
export class HeaderPlan {
  readonly #facts: HeaderFacts;
  readonly #heads: (Uint8Array | undefined)[] = [];
  /** Plans by incarnation, when dead letters are sent again that are older than this one. */
  readonly #others = new Map<string, HeaderPlan>();
  /** The pipeline's own headers, without a count. */
  readonly tail: Uint8Array;

  constructor(facts: HeaderFacts) {
    this.#facts = facts;
    this.tail = withoutCount(encodeHeaders([...facts.fixed]));
  }

  /** Whether a message's header of this name takes the place of one of the pipeline's. */
  replaces(name: string): boolean {
    return this.#facts.fixed.has(name);
  }

  /**
   * A list's beginning: count, outbox, op, and an id of so many zeros.
   *
   * @param extra headers besides these and the pipeline's own
   */
  head(op: number, digits: number, extra: number): Uint8Array {
    const slot = (extra * OPS.length + op) * (DIGITS_MAX + 1) + digits;
    // Few messages have many headers of their own; their beginnings are not kept.
    if (extra > 8) return this.#makeHead(op, digits, extra);
    return this.#heads[slot] ??= this.#makeHead(op, digits, extra);
  }

  /** The same plan for messages of another incarnation of the outbox. */
  of(incarnation: string): HeaderPlan {
    if (incarnation === this.#facts.incarnation) return this;
    const known = this.#others.get(incarnation);
    if (known !== undefined) return known;
    if (this.#others.size === INCARNATIONS_KEPT) this.#others.clear();
    const other = new HeaderPlan({ ...this.#facts, incarnation });
    this.#others.set(incarnation, other);
    return other;
  }

  /** A whole list, for messages that replace one of the pipeline's headers. @param retry 0 for none */
  list(
    op: number,
    id: number,
    dedupKey: Uint8Array | null,
    own: ReadonlyMap<string, string>,
    retry: number,
  ): Uint8Array {
    const merged = new Map([...this.#facts.fixed, ...own]);
    return encodeHeaders([
      ...this.#relayHeaders(op, String(id)),
      ...(retry === 0 ? [] : [["pg_tide_retry", String(retry)] as const]),
      ...(dedupKey === null ? [] : [["pg_tide_dedup_key", dedupKey] as const]),
      ...merged,
    ]);
  }

  #makeHead(op: number, digits: number, extra: number): Uint8Array {
    const headers = this.#relayHeaders(op, "0".repeat(digits));
    const count = headers.length + this.#facts.fixed.size + extra;
    const body = withoutCount(encodeHeaders(headers));
    const head = new Uint8Array(varintLength(count) + body.length);
    head.set(body, writeVarint(head, 0, count));
    return head;
  }

  #relayHeaders(op: number, id: string): Header[] {
    return [
      [`${RESERVED_PREFIX}outbox`, this.#facts.outbox],
      [`${RESERVED_PREFIX}op`, OPS[op]!],
      [ID_HEADER, `${this.#facts.incarnation}-${id}`],
    ];
  }
}

function withoutCount(list: Uint8Array): Uint8Array {
  let at = 0;
  while (list[at]! > 0x7f) at++;
  return list.subarray(at + 1);
}

/** Writes the header lists of a page, message by message. */
export class HeaderWriter {
  readonly #plan: HeaderPlan;
  readonly #ranges: Uint32Array<ArrayBuffer>;
  #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;
  #count = 0;

  /** @param count how many lists will be written at most */
  constructor(plan: HeaderPlan, count: number) {
    this.#plan = plan;
    this.#ranges = new Uint32Array(2 * count);
    this.#bytes = new Uint8Array(count * (plan.head(0, DIGITS_MAX, 1).length + plan.tail.length + 8));
  }

  /**
   * Write the next list.
   *
   * @param dedupKey for the header `pg_tide_dedup_key`, or null for none
   * @param own the message's own headers, or null for none
   * @param again of a dead letter that is sent again
   */
  write(
    op: number,
    id: number,
    dedupKey: Uint8Array | null,
    own: ReadonlyMap<string, string> | null,
    again: Again | null,
  ): void {
    const plan = again === null ? this.#plan : this.#plan.of(again.incarnation);
    const retry = again === null ? 0 : again.retry;
    if (own === null) this.#writeHead(plan, op, id, dedupKey, 0, retry);
    else if (hasReplacement(plan, own)) this.#copy(plan.list(op, id, dedupKey, own, retry));
    else {
      this.#writeHead(plan, op, id, dedupKey, own.size, retry);
      for (const [name, value] of own) this.#writeHeader(ENCODER.encode(name), ENCODER.encode(value));
    }
    this.#ranges[2 * this.#count + 1] = this.#at;
    this.#count++;
    if (2 * this.#count < this.#ranges.length) this.#ranges[2 * this.#count] = this.#at;
  }

  /** The column of lists. The writer must not be used afterwards. */
  finish(): Column {
    const whole = this.#ranges.length === 2 * this.#count;
    return {
      bytes: this.#bytes.subarray(0, this.#at),
      ranges: whole ? this.#ranges : this.#ranges.slice(0, 2 * this.#count),
    };
  }

  #writeHead(
    plan: HeaderPlan,
    op: number,
    id: number,
    dedupKey: Uint8Array | null,
    own: number,
    retry: number,
  ): void {
    const extra = own + (dedupKey === null ? 0 : 1) + (retry === 0 ? 0 : 1);
    this.#copy(plan.head(op, digitCount(id), extra));
    writeDigits(this.#bytes, this.#at, id);
    if (retry !== 0) this.#writeHeader(RETRY_NAME, ENCODER.encode(String(retry)));
    if (dedupKey !== null) this.#writeHeader(DEDUP_NAME, dedupKey);
    if (plan.tail.length > 0) this.#copy(plan.tail);
  }

  #writeHeader(name: Uint8Array, value: Uint8Array): void {
    this.#reserve(name.length + value.length + 10);
    const at = writeVarint(this.#bytes, this.#at, name.length);
    this.#bytes.set(name, at);
    const valueAt = writeVarint(this.#bytes, at + name.length, value.length);
    this.#bytes.set(value, valueAt);
    this.#at = valueAt + value.length;
  }

  #copy(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

function hasReplacement(plan: HeaderPlan, own: ReadonlyMap<string, string>): boolean {
  for (const name of own.keys()) {
    if (plan.replaces(name)) return true;
  }
  return false;
}

function digitCount(id: number): number {
  let digits = 1;
  for (let bound = 10; id >= bound; bound *= 10) digits++;
  return digits;
}

/** Write the digits of `id` so that they end before `end`. */
function writeDigits(bytes: Uint8Array, end: number, id: number): void {
  let at = end;
  let rest = id;
  // Integers below 2^31 are divided much faster than doubles.
  while (rest > 0x7fff_ffff) {
    const next = Math.floor(rest / 10);
    // In this order: a large id plus 48 would leave the exact integers.
    bytes[--at] = ZERO + (rest - 10 * next);
    rest = next;
  }
  let small = rest | 0;
  do {
    const next = (small / 10) | 0;
    bytes[--at] = ZERO + (small - 10 * next);
    small = next;
  } while (small > 0);
}
