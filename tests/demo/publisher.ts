/**
 * One connection that publishes: a transaction at a time, each message under the lock of its key.
 *
 * The lock makes the order of a key's messages defined: `place` counts them, and is rolled back with its transaction.
 *
 * @module
 */

import type { Sql, TransactionSql } from "postgres";
import { pause } from "./interrupt.ts";
import { type Ledger, now } from "./ledger.ts";
import type { PublishedMessage } from "./verdict.ts";

/** The outbox of the load. */
export const OUTBOX = "pg_tide_demo_load";

/** The rows that publishers lock. */
export const KEYS_TABLE =
  `CREATE TABLE pg_tide_demo_key (key text PRIMARY KEY, place integer NOT NULL DEFAULT 0);`;

/** What a transaction does. */
export interface TransactionPlan {
  /** A message for each. */
  readonly keys: readonly string[];
  /** How long it stays open after its last message. */
  readonly holdMs: number;
  readonly rollBack: boolean;
}

/** One statement a message: the row is locked before the message's id is drawn. */
const PUBLISH = `WITH locked AS (
  UPDATE pg_tide_demo_key SET place = place + 1 WHERE key = $1 RETURNING key, place
)
SELECT place, tide.outbox_publish('${OUTBOX}', jsonb_build_object('id', $2::text, 'key', key, 'place', place,
  'event_type', 'order.updated', 'customer_id', 'cust-789', 'total', 99.99, 'currency', 'EUR', 'status', 'confirmed',
  'items', jsonb_build_array(jsonb_build_object('sku', 'WIDGET-A', 'qty', 2), jsonb_build_object('sku', 'WIDGET-B', 'qty', 1))
), key) FROM locked`;

/** Publishes into the load's outbox. */
export class Publisher {
  readonly #sql: Sql;
  readonly #name: string;
  readonly #ledger: Ledger;
  readonly #signal: AbortSignal;
  #messages = 0;

  /**
   * @param sql of one connection
   * @param name with which the ids of its messages begin; nobody else's
   */
  constructor(sql: Sql, name: string, ledger: Ledger, signal: AbortSignal) {
    this.#sql = sql;
    this.#name = name;
    this.#ledger = ledger;
    this.#signal = signal;
  }

  /** Carry out a transaction. @throws when the signal is aborted, and rolls back */
  async transact({ keys, holdMs, rollBack }: TransactionPlan): Promise<void> {
    // Sorted, so that two transactions never wait for each other; the keys that are held for long first, so that whoever
    // waits for one holds nothing that others need.
    const sorted = keys.toSorted().toReversed();
    const published: PublishedMessage[] = [];
    let commitSent = 0;
    try {
      await this.#sql.begin(async (sql) => {
        for (const key of sorted) published.push(await this.#publish(sql, key));
        if (holdMs > 0) await pause(holdMs, this.#signal);
        if (rollBack) throw new RolledBack();
        commitSent = now();
      });
      this.#ledger.commit(published, commitSent);
    } catch (error) {
      if (!(error instanceof RolledBack)) throw error;
      this.#ledger.rollBack(published);
    }
  }

  async #publish(sql: TransactionSql, key: string): Promise<PublishedMessage> {
    this.#signal.throwIfAborted();
    const id = `${this.#name}-${++this.#messages}`;
    const [row] = await sql.unsafe<{ place: number }[]>(PUBLISH, [key, id], { prepare: true });
    if (row === undefined) throw new Error(`Cannot publish for key "${key}": there is no such key`);
    return { id, key, place: row.place };
  }
}

/** Thrown inside a transaction to end it by ROLLBACK. */
class RolledBack extends Error {}
