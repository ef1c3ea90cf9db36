/**
 * What a query costs, in blocks: unlike its time, the same on every machine.
 *
 * @module
 */

import type postgres from "postgres";

/** Blocks that a query touches, with those of the functions inside. It is executed. */
export async function blocks(sql: postgres.Sql, query: string): Promise<number> {
  const [row] = await sql.unsafe<{ "QUERY PLAN": [{ Plan: Record<string, number> }] }[]>(
    `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${query}`,
  );
  const plan = row!["QUERY PLAN"][0].Plan;
  return plan["Shared Hit Blocks"]! + plan["Shared Read Blocks"]!;
}
