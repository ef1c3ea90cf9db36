/**
 * Publishes a backlog while no relay delivers it.
 *
 * @module
 */

import type postgres from "postgres";
import type { TideDatabase } from "../support/tide_database.ts";
import { messagesJson } from "./payload.ts";

/** Messages in a transaction. */
const CHUNK = 500;
const CONNECTIONS = 2;

/**
 * Create an outbox and publish messages 1 to `count` into it, as fast as two connections can. Then write everything
 * out, so that no checkpoint falls into the measurement.
 *
 * @param topics see {@link messagesJson}
 */
export async function publishBacklog(
  database: TideDatabase,
  outbox: string,
  count: number,
  topics?: number,
): Promise<void> {
  await database.sql`SELECT tide.outbox_create(${outbox})`;
  let next = 1;
  const publish = async (sql: postgres.Sql) => {
    while (next <= count) {
      const from = next;
      next = Math.min(count, from + CHUNK - 1) + 1;
      const json = messagesJson(from, next - from, topics);
      await sql`SELECT tide.outbox_publish_many(${outbox}, ${json}::text::jsonb)`;
    }
  };
  const connections = Array.from({ length: CONNECTIONS }, () => database.connect());
  await Promise.all(connections.map(publish));
  await Promise.all(connections.map((sql) => sql.end()));
  await database.sql`CHECKPOINT`;
}
