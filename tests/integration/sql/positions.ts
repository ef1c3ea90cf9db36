/**
 * Marks and saved positions, as a relay takes and saves them, of the outbox with the number 1.
 *
 * @module
 */

import type postgres from "postgres";
import type { Mark, Phase } from "../../../src/record/position.ts";

/** The mark before all messages. */
export const ZERO: Mark = { snapshot: "3:3:", topId: 0, nextXid: "3" };

const TIDE_MARK = `SELECT snapshot, top_id::int AS "topId", next_xid AS "nextXid" FROM tide.mark(1)`;

/** @param statement how; by `tide.mark` unless said */
export async function takeMark(sql: postgres.Sql, statement: string = TIDE_MARK): Promise<Mark> {
  const [mark] = await sql.unsafe<Mark[]>(statement);
  return { ...mark! };
}

/** Where a pipeline stands. */
export interface Place {
  readonly number?: number;
  readonly lower?: Mark;
  readonly upper: Mark;
  readonly phase?: Phase;
  readonly lastId: number;
}

/** Save a position; a window that is saved already stays as it is. */
export async function savePosition(sql: postgres.Sql, pipeline: string, place: Place): Promise<void> {
  const { number = 1, lower = ZERO, upper, phase = "run", lastId } = place;
  await sql`
    INSERT INTO tide.window (pipeline, number, lower_snapshot, lower_top_id, lower_next_xid,
      upper_snapshot, upper_top_id, upper_next_xid)
    VALUES (${pipeline}, ${number}, ${lower.snapshot}, ${lower.topId}, ${lower.nextXid},
      ${upper.snapshot}, ${upper.topId}, ${upper.nextXid})
    ON CONFLICT DO NOTHING`;
  await sql`
    INSERT INTO tide.position_log (pipeline, epoch, window_number, phase, last_id)
    VALUES (${pipeline}, 1, ${number}, ${phase}, ${lastId})`;
}

/** Save that a pipeline has delivered everything that can be seen now. */
export async function deliverAll(sql: postgres.Sql, pipeline: string): Promise<void> {
  const upper = await takeMark(sql);
  const [row] =
    await sql`SELECT coalesce(max(number), 0)::int + 1 AS number FROM tide.window WHERE pipeline = ${pipeline}`;
  await savePosition(sql, pipeline, { number: row!["number"], upper, lastId: upper.topId });
}
