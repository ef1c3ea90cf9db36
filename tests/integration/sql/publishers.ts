/**
 * Publishers that make reading hard: commits out of order, transactions held open, rollbacks, savepoints, exception blocks,
 * triggers, prepared transactions, locks that others wait for, transaction ids drawn long before a message.
 *
 * @module
 */

import type postgres from "postgres";
import type { Published } from "../../support/published.ts";
import type { TideDatabase } from "../../support/tide_database.ts";

/** Tables and functions that {@link Publisher} needs, beside the outbox `orders`. */
export const WORKLOAD_SETUP = `
SELECT tide.outbox_create('orders');
CREATE TABLE turns (key text PRIMARY KEY, turn integer NOT NULL);
INSERT INTO turns SELECT 'k' || i, 0 FROM generate_series(1, 8) i;
CREATE TABLE copied (message integer);
CREATE FUNCTION publish_copied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM tide.outbox_publish('orders', to_jsonb(new.message)); RETURN NULL; END $$;
CREATE TRIGGER publish_copied AFTER INSERT ON copied FOR EACH ROW EXECUTE FUNCTION publish_copied();
-- Publishes the first message, and the second unless it is told to fail in between.
CREATE FUNCTION publish_in_block(first integer, second integer, fails boolean) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  PERFORM tide.outbox_publish('orders', to_jsonb(first));
  BEGIN
    PERFORM tide.outbox_publish('orders', to_jsonb(second));
    IF fails THEN RAISE division_by_zero; END IF;
  EXCEPTION WHEN division_by_zero THEN NULL;
  END;
END $$;`;

const KEYS = 8;

/** One connection that publishes, transaction after transaction. A message is its number, as a JSON number. */
export class Publisher {
  readonly #sql: postgres.Sql;
  readonly #other: postgres.Sql;
  readonly #published: Published;
  readonly #random: () => number;
  readonly #name: string;
  #prepared = 0;

  /** @param seed of everything that is chosen at random, on this side of the connection */
  constructor(database: TideDatabase, published: Published, seed: number) {
    this.#sql = database.connect({ connection: { synchronous_commit: "off" } as object });
    this.#other = database.sql;
    this.#published = published;
    this.#random = mulberry32(seed);
    this.#name = `${database.name}_${seed}`;
  }

  /** One transaction of a random kind. */
  async transaction(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.35) await this.#end(await this.#begin(() => this.#keyed()));
    else if (chance < 0.5) await this.#end(await this.#begin(() => this.#several()));
    else if (chance < 0.6) await this.#end(await this.#begin(() => this.#savepoints()));
    else if (chance < 0.7) await this.#end(await this.#begin(() => this.#block()));
    else if (chance < 0.8) await this.#end(await this.#begin(() => this.#triggered()));
    else if (chance < 0.9) await this.#end(await this.#begin(() => this.#early()));
    else if (chance < 0.93) await this.#prepare(await this.#begin(() => this.#keyed()));
    else if (chance < 0.98) await this.#end(await this.#begin(() => this.#held()), 0.05);
    else await this.#end(await this.#begin(() => this.#bulk()), 0.05);
  }

  async #begin(publish: () => Promise<number[]>): Promise<number[]> {
    await this.#sql.unsafe(this.#random() < 0.2 ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
    return await publish();
  }

  async #end(messages: readonly number[], rollback = 0.1): Promise<void> {
    await this.#pause(3);
    if (this.#random() < rollback) {
      await this.#sql`ROLLBACK`;
      return;
    }
    await this.#sql`COMMIT`;
    this.#published.commit(messages);
  }

  /** In two phases; the second comes from another connection, after a while. */
  async #prepare(messages: readonly number[]): Promise<void> {
    const name = `${this.#name}_${++this.#prepared}`;
    await this.#sql.unsafe(`PREPARE TRANSACTION '${name}'`);
    await this.#pause(30);
    const commits = this.#random() < 0.8;
    await this.#other.unsafe(`${commits ? "COMMIT" : "ROLLBACK"} PREPARED '${name}'`);
    if (commits) this.#published.commit(messages);
  }

  async #publish(key?: string, turn?: number): Promise<number> {
    const message = this.#published.start(key, turn);
    await this.#sql`SELECT tide.outbox_publish('orders', to_jsonb(${message}::int), ${key ?? null})`;
    return message;
  }

  /** Behind the lock of a key: whoever waits for it publishes afterwards. */
  async #keyed(): Promise<number[]> {
    const key = `k${1 + Math.floor(KEYS * this.#random())}`;
    if (this.#random() < 0.3) await this.#pause(5);
    const messages: number[] = [];
    for (let n = 1 + Math.floor(3 * this.#random()); n > 0; n--) {
      const [row] = await this.#takeTurn(key);
      messages.push(await this.#publish(key, row!["turn"]));
      await this.#pause(2);
    }
    return messages;
  }

  async #takeTurn(key: string): Promise<postgres.Row[]> {
    const take = () => this.#sql`UPDATE turns SET turn = turn + 1 WHERE key = ${key} RETURNING turn`;
    try {
      return await take();
    } catch (error) {
      // Under REPEATABLE READ somebody who came first makes the transaction fail.
      if ((error as postgres.PostgresError).code !== "40001") throw error;
      await this.#sql`ROLLBACK`;
      await this.#sql`BEGIN`;
      return await take();
    }
  }

  async #several(): Promise<number[]> {
    const messages: number[] = [];
    for (let n = 1 + Math.floor(6 * this.#random()); n > 0; n--) {
      messages.push(await this.#publish());
      await this.#pause(1);
    }
    return messages;
  }

  async #savepoints(): Promise<number[]> {
    const kept = [await this.#publish()];
    for (let n = 0; n < 3; n++) {
      await this.#sql`SAVEPOINT s`;
      const inside = await this.#publish();
      if (this.#random() < 0.5) {
        await this.#sql`ROLLBACK TO s`;
        continue;
      }
      if (this.#random() < 0.5) await this.#sql`RELEASE s`;
      kept.push(inside);
    }
    return kept;
  }

  async #block(): Promise<number[]> {
    const [first, second] = [this.#published.start(), this.#published.start()];
    const fails = this.#random() < 0.5;
    await this.#sql`SELECT publish_in_block(${first}, ${second}, ${fails})`;
    return fails ? [first] : [first, second];
  }

  async #triggered(): Promise<number[]> {
    const messages = Array.from({ length: 10 }, () => this.#published.start());
    await this.#sql.unsafe(`INSERT INTO copied SELECT unnest('{${messages.join()}}'::int[])`);
    return messages;
  }

  /** A transaction id long before the first message. */
  async #early(): Promise<number[]> {
    await this.#sql`SELECT pg_current_xact_id()`;
    await this.#pause(20);
    return this.#random() < 0.5 ? await this.#keyed() : await this.#several();
  }

  async #held(): Promise<number[]> {
    const messages = await this.#several();
    await this.#pause(600);
    return [...messages, await this.#publish()];
  }

  async #bulk(): Promise<number[]> {
    const messages = Array.from(
      { length: 50 + Math.floor(250 * this.#random()) },
      () => this.#published.start(),
    );
    await this.#sql.unsafe(
      `SELECT tide.outbox_publish('orders', to_jsonb(m)) FROM unnest('{${messages.join()}}'::int[]) m`,
    );
    return messages;
  }

  async #pause(ms: number): Promise<void> {
    if (this.#random() < 0.5) await new Promise((resolve) => setTimeout(resolve, ms * this.#random()));
  }
}

/** A small generator of random numbers: the same ones for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6D2B79F5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
