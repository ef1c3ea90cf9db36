/**
 * Applications that publish all the time: several connections, keys that they share, transactions that roll back.
 *
 * Every message counts its key: a transaction takes the locks of its keys, so the order of a key's messages is the order in which
 * their transactions held its lock.
 *
 * @module
 */

import type postgres from "postgres";
import type { PublishedMessage } from "../demo/verdict.ts";

/** The outbox that they publish to. */
export const OUTBOX = "orders";

const CONNECTIONS = 4;
const KEYS = 40;
const KEYS_PER_TRANSACTION = 8;
/** Messages of each key in a transaction. */
const EACH = 5;
const ROLL_BACK_EVERY = 10;

/** Messages in a transaction. */
export const TRANSACTION_MESSAGES = KEYS_PER_TRANSACTION * EACH;

/** The most messages that the server may have committed and the publishers not yet know of. */
export const IN_DOUBT_MAX = CONNECTIONS * TRANSACTION_MESSAGES;

/** Messages a second that all of them publish together, when they are not held up. */
const RATE = 6_000;

/** How often those that are not allowed to go on look again. */
const POLL_MS = 5;

const SCHEMA = `
CREATE TABLE place (key text PRIMARY KEY, n integer NOT NULL DEFAULT 0);
INSERT INTO place SELECT 'key-' || i FROM generate_series(1, ${KEYS}) i;
CREATE FUNCTION publish_orders(p_keys text[], p_id text) RETURNS SETOF place LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM place WHERE key = ANY (p_keys) ORDER BY key FOR UPDATE;
  UPDATE place SET n = n + ${EACH} WHERE key = ANY (p_keys);
  PERFORM tide.outbox_publish_many('${OUTBOX}', (
    SELECT jsonb_agg(jsonb_build_object('dedup_key', key, 'payload', jsonb_build_object(
      'id', p_id || '/' || key || '/' || i, 'event_type', 'order.confirmed', 'customer_id', 'cust-789', 'total', 99.99,
      'items', jsonb_build_array(jsonb_build_object('sku', 'WIDGET-A', 'qty', 2))
    )) ORDER BY key, i) FROM place, generate_series(1, ${EACH}) i WHERE key = ANY (p_keys)));
  RETURN QUERY SELECT key, n - ${EACH} FROM place WHERE key = ANY (p_keys);
END
$$;`;

/** Several publishers at work until they are stopped, as far as they are allowed to go. */
export class Publishers implements AsyncDisposable {
  readonly #sql: postgres.Sql;
  readonly #started = performance.now();
  readonly #committed: PublishedMessage[] = [];
  #taken = 0;
  #allowed = 0;
  #rolledBack = 0;
  #stopped = false;
  #working: Promise<unknown> = Promise.resolve();

  private constructor(sql: postgres.Sql) {
    this.#sql = sql;
  }

  /** Make what they need and start. @param sql with at least four connections */
  static async start(sql: postgres.Sql): Promise<Publishers> {
    await sql.unsafe(SCHEMA).simple();
    const publishers = new Publishers(sql);
    publishers.#working = Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => publishers.#publish(i)));
    // Told by stop(), whatever happens before it.
    publishers.#working.catch(() => {});
    return publishers;
  }

  /** Every message whose COMMIT the server has confirmed. */
  get committed(): readonly PublishedMessage[] {
    return this.#committed;
  }

  /** Messages that were rolled back. */
  get rolledBack(): number {
    return this.#rolledBack;
  }

  /** Let them publish so many messages more: on a slow machine they would get ever further ahead. */
  allow(messages: number): void {
    this.#allowed += messages;
  }

  /** Finish the transactions under way. @throws what went wrong with any of them */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #publish(connection: number): Promise<void> {
    for (let i = 1; await this.#mayGoOn(); i++) {
      const id = `${connection}/${i}`;
      const rollBack = i % ROLL_BACK_EVERY === 0;
      const messages = await this.#transact(id, someKeys(), rollBack);
      if (rollBack) this.#rolledBack += messages.length;
      else this.#committed.push(...messages);
    }
  }

  async #transact(id: string, keys: readonly string[], rollBack: boolean): Promise<PublishedMessage[]> {
    let messages: PublishedMessage[] = [];
    try {
      await this.#sql.begin(async (sql) => {
        const rows = await sql<{ key: string; n: number }[]>`SELECT * FROM publish_orders(${[
          ...keys,
        ]}, ${id})`;
        messages = rows.flatMap(({ key, n }) =>
          Array.from({ length: EACH }, (_, i) => ({ id: `${id}/${key}/${i + 1}`, key, place: n + i + 1 }))
        );
        if (rollBack) throw new RolledBack();
      });
    } catch (error) {
      if (!(error instanceof RolledBack)) throw error;
    }
    return messages;
  }

  /** Wait until the next transaction is due and allowed. @returns false when there is none any more */
  async #mayGoOn(): Promise<boolean> {
    while (!this.#stopped) {
      const waitMs = this.#started + this.#taken * 1000 / RATE - performance.now();
      if (this.#taken < this.#allowed && waitMs <= 0) {
        this.#taken += TRANSACTION_MESSAGES;
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(waitMs, POLL_MS)));
    }
    return false;
  }
}

/** Thrown inside a transaction to end it by ROLLBACK. */
class RolledBack extends Error {}

function someKeys(): readonly string[] {
  const numbers = Array.from({ length: KEYS }, (_, i) => i + 1);
  return Array.from({ length: KEYS_PER_TRANSACTION }, () => {
    const [number] = numbers.splice(Math.floor(Math.random() * numbers.length), 1);
    return `key-${number}`;
  });
}
