/**
 * Publishes at a steady rate, and remembers when each message's commit had returned.
 *
 * @module
 */

import type { TideDatabase } from "../support/tide_database.ts";
import { keyOf, messagesJson, payloadOf } from "./payload.ts";
import { wallClock } from "./wall_clock.ts";

/** A steady load. */
export interface Load {
  readonly outbox: string;
  readonly transactionsPerSecond: number;
  /** One: `tide.outbox_publish`; more: `tide.outbox_publish_many`. */
  readonly messagesPerTransaction: number;
  readonly seconds: number;
}

/** What was published. */
export interface Published {
  /** When the commit of message `i + 1` had returned, in milliseconds since 1970. */
  readonly committedMs: Float64Array;
  /** The rate that was reached. */
  readonly messagesPerSecond: number;
}

/** Enough that a commit's flush to the disk does not hold up the next transactions. */
const CONNECTIONS = 8;

/** Longer than any commit of a server that keeps up. */
const START_DELAY_MS = 100;

/**
 * Publish messages 1, 2, … by the clock: each transaction starts at its own time, whether those before it have ended or not, as
 * long as a connection is free.
 */
export async function publishSteadily(database: TideDatabase, load: Load): Promise<Published> {
  const { messagesPerTransaction: size, outbox, seconds, transactionsPerSecond } = load;
  const transactions = Math.round(transactionsPerSecond * seconds);
  const committedMs = new Float64Array(transactions * size);
  const bodies = bodiesOf(transactions, size);
  const sql = database.connect({ max: CONNECTIONS });
  const publish = size === 1
    ? (i: number) => sql`SELECT tide.outbox_publish(${outbox}, ${bodies[i]!}::text::jsonb, ${keyOf(i + 1)})`
    : (i: number) => sql`SELECT tide.outbox_publish_many(${outbox}, ${bodies[i]!}::text::jsonb)`;
  await Promise.all(Array.from({ length: CONNECTIONS }, () => sql`SELECT pg_sleep(0.05)`));
  const now = wallClock();
  const startMs = now() + START_DELAY_MS;
  let next = 0;
  const work = async () => {
    while (next < transactions) {
      const i = next++;
      const waitMs = startMs + i * 1_000 / transactionsPerSecond - now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await publish(i);
      committedMs.fill(now(), i * size, (i + 1) * size);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  const spanS = (now() - startMs) / 1_000;
  await sql.end();
  return { committedMs, messagesPerSecond: committedMs.length / spanS };
}

/** Publish messages 1 to `count` one at a time, with a pause that `pauseMs` gives before each. */
export async function publishSeldom(
  database: TideDatabase,
  outbox: string,
  count: number,
  pauseMs: () => number,
): Promise<Published> {
  const committedMs = new Float64Array(count);
  const sql = database.connect();
  const now = wallClock();
  const startMs = now();
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs()));
    await sql`SELECT tide.outbox_publish(${outbox}, ${payloadOf(i + 1)}::text::jsonb, ${keyOf(i + 1)})`;
    committedMs[i] = now();
  }
  await sql.end();
  return { committedMs, messagesPerSecond: count * 1_000 / (now() - startMs) };
}

/** Made beforehand: the publisher shares its processors with what is measured. */
function bodiesOf(transactions: number, size: number): readonly string[] {
  return Array.from(
    { length: transactions },
    (_, i) => size === 1 ? payloadOf(i + 1) : messagesJson(i * size + 1, size),
  );
}
