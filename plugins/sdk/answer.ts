/**
 * Builders of {@link Answer}s and {@link Fault}s.
 *
 * @module
 */

import type { Answer, Failure, Fault, Rejection } from "./contract.ts";

/** The answer that all `count` records were delivered. */
export function delivered(count: number): Answer {
  return { delivered: count === 0 ? new Uint32Array(0) : Uint32Array.of(0, count), rejected: [], failed: [] };
}

/** The answer that nothing was delivered, and why. */
export function faulted(fault: Fault): Answer {
  return { delivered: new Uint32Array(0), rejected: [], failed: [], fault };
}

/** An outage: the kernel waits and gives the same records again. */
export function unavailable(code: string, reason: string, retryAfterMs?: number): Fault {
  return { kind: "unavailable", code, reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** It cannot work as configured: the pipeline is blocked, with this advice for a person. */
export function misconfigured(code: string, reason: string, advice: string): Fault {
  return { kind: "configuration", code, reason, advice };
}

/** The outcome of a page's records, collected one by one in any order and then made an {@link Answer}. */
export class AnswerBuilder {
  readonly #done: Uint8Array;
  readonly #rejected: Rejection[] = [];
  readonly #failed: Failure[] = [];
  #open: number;
  #first = 0;

  /**
   * Begin an answer.
   *
   * @param count number of records of the page
   */
  constructor(count: number) {
    this.#done = new Uint8Array(count);
    this.#open = count;
  }

  /** Records without an outcome so far. */
  get open(): number {
    return this.#open;
  }

  /** How many records are delivered before the first one that is not: what a sink may tell as its progress. */
  get deliveredFirst(): number {
    while (this.#done[this.#first] === 1) this.#first++;
    return this.#first;
  }

  /** Record `index` was delivered. */
  deliver(index: number): void {
    this.#finish(index, 1);
  }

  /** Record `index` can never succeed. */
  reject(index: number, code: string, reason: string): void {
    this.#finish(index, 2);
    this.#rejected.push({ index, code, reason });
  }

  /** Record `index` may succeed later. */
  fail(index: number, code: string, reason: string, retryAfterMs?: number): void {
    this.#finish(index, 2);
    this.#failed.push({ index, code, reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  }

  /**
   * The answer.
   *
   * @param fault why the records without an outcome have none
   * @throws {TypeError} when there are such records and no fault
   */
  build(fault?: Fault): Answer {
    if (this.#open > 0 && fault === undefined) {
      throw new TypeError(`Cannot answer: ${this.#open} records have neither an outcome nor a fault`);
    }
    const base = { delivered: this.#ranges(), rejected: this.#rejected, failed: this.#failed };
    return this.#open > 0 ? { ...base, fault: fault! } : base;
  }

  #finish(index: number, mark: number): void {
    if (this.#done[index] !== 0) {
      throw new RangeError(`Cannot answer for record ${index}: it has an outcome already`);
    }
    this.#done[index] = mark;
    this.#open--;
  }

  #ranges(): Uint32Array<ArrayBuffer> {
    const ranges: number[] = [];
    for (let i = 0; i < this.#done.length; i++) {
      if (this.#done[i] !== 1) continue;
      if (ranges.length > 0 && ranges[ranges.length - 1] === i) ranges[ranges.length - 1] = i + 1;
      else ranges.push(i, i + 1);
    }
    return Uint32Array.from(ranges);
  }
}
