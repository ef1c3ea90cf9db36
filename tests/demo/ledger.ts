/**
 * What publishers have committed, and what they have rolled back.
 *
 * @module
 */

import type { PublishedMessage } from "./verdict.ts";

/** A message, and when its COMMIT was sent. */
export interface LedgerEntry extends PublishedMessage {
  /** Milliseconds since 1970, with fractions. */
  readonly committedAt: number;
}

/** Counts while publishers work, and holds all that a verdict needs. */
export class Ledger {
  readonly #committed: LedgerEntry[] = [];
  #rolledBack = 0;

  /** Every message whose COMMIT the server has confirmed. */
  get committed(): readonly LedgerEntry[] {
    return this.#committed;
  }

  /** Messages of transactions that were rolled back. */
  get rolledBack(): number {
    return this.#rolledBack;
  }

  /** A transaction has committed. @param committedAt when COMMIT was sent */
  commit(messages: readonly PublishedMessage[], committedAt: number): void {
    for (const message of messages) this.#committed.push({ ...message, committedAt });
  }

  /** A transaction was rolled back. */
  rollBack(messages: readonly PublishedMessage[]): void {
    this.#rolledBack += messages.length;
  }
}

/** Now, in milliseconds since 1970, finer than `Date.now()`. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
