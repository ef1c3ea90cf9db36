/**
 * No query that a relay asks again and again walks the backlog: a million messages in slots without statistics, and what is read is
 * bounded by what is asked for. Counted in blocks, with those of the functions inside.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { tideTest } from "../../support/tide_database.ts";
import { blocks } from "./blocks.ts";

const ROWS = 1_000_000;

/** Far below what a walk costs: an index of the million has 2,700 blocks, the table 13,000. */
const FEW_BLOCKS = 200;

/** What planning may cost beside: it looks at the ends of indexes. */
const PLANNING_BLOCKS = 200;

/** What it costs to count ten thousand of them. */
const COUNTING_BLOCKS = 1_500;

/** Rows as if a million transactions had published them, in two of the slots; only every other transaction id has some. */
async function fill(sql: postgres.Sql): Promise<bigint> {
  await sql`SELECT tide.outbox_create('orders')`;
  const [row] = await sql`SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xmax`;
  const xmax = BigInt(row!["xmax"]);
  for (const slot of [0, 1]) {
    await sql.unsafe(`
      INSERT INTO tide.message_1_${slot} (id, xid, created_at, slot, op, dedup_key, payload)
      SELECT i, ((4 + i * (${xmax} - 8) / ${ROWS}) / 2 * 2)::text::xid8, clock_timestamp(), ${slot}, 'i', 'k', repeat('x', 40)
      FROM generate_series(${slot === 0 ? 1 : ROWS / 2 + 1}::bigint, ${slot === 0 ? ROWS / 2 : ROWS}) i`);
  }
  await sql`SELECT setval('tide.id_1', ${ROWS})`;
  const analysed = await sql`
    SELECT relname FROM pg_class WHERE relname LIKE 'message\_1\_%' AND relkind = 'r' AND reltuples > 0`;
  assert.deepEqual([...analysed], [], "slots are never analysed");
  return xmax;
}

/** A query, whether its answer is right, and how many blocks it may touch when that is more than usual. */
type Question = readonly [
  what: string,
  query: string,
  isRight: (row: postgres.Row) => boolean,
  blocks?: number,
];

function questions(xmax: bigint): readonly Question[] {
  const all = `${xmax}:${xmax}:`;
  const quiet = Array.from({ length: 300 }, (_, i) => 9n + 2n * BigInt(i)).filter((xid) => xid < xmax);
  const rolled = xmax / 4n * 2n;
  const run = (after: number, to = ROWS, upper = all) =>
    `SELECT * FROM tide.read_run_1('3:3:', '${upper}', ${after}, ${to}, 100, 1000000)`;
  const stragglers = (lower: string, rows = 100) =>
    `SELECT * FROM tide.read_stragglers_1('${lower}', '${all}', ${ROWS}, '${xmax}', 0, ${rows}, 1000000)`;
  return [
    ["the first page of a run", run(0), ({ n }) => n === 100],
    ["a page over the border of two slots", run(ROWS / 2 - 50), ({ n }) => n === 100],
    ["the last page of a run", run(ROWS - 5), ({ n }) => n === 5],
    ["the end of a run", run(ROWS), ({ n }) => n === 0],
    ["the end of a run with a million newer messages", run(20, 20, "9:9:"), ({ n }) => n === 0],
    ["stragglers with nothing open", stragglers(all), ({ n }) => n === 0],
    // Until PostgreSQL 17 learnt to do better: a descent of each slot's index for each of them.
    [
      "stragglers with 300 silent transactions",
      stragglers(`9:${xmax}:${quiet.join()}`),
      ({ n }) => n === 0,
      4 * 300 * 4,
    ],
    // Few rows, because each is looked for in four slots, twice: on a young server a transaction id has hundreds of them.
    ["stragglers of one transaction", stragglers(`${rolled}:${xmax}:${rolled}`, 4), ({ n }) => n > 0],
    [
      "the lag of who has delivered all",
      "SELECT * FROM tide.pipeline_lag('done')",
      ({ messages }) => messages === "0",
    ],
    [
      "the lag of who is among stragglers",
      "SELECT * FROM tide.pipeline_lag('late')",
      ({ messages }) => messages === "0",
    ],
    ["the times of a slot", "SELECT * FROM tide.slot_times(1, 0)", ({ newest }) => newest !== null],
    [
      "who lacks a slot",
      "SELECT tide.undelivered_pipelines(1, 0) AS names",
      ({ names }) => names.join() === "start",
    ],
    ["the highest numbers", "SELECT * FROM tide.highest_numbers(1)", ({ id }) => id === String(ROWS)],
    ["a mark", "SELECT * FROM tide.mark(1)", ({ top_id }) => top_id === String(ROWS)],
    ["a status", "SELECT tide.outbox_status('orders') AS status", ({ status }) => status.last_id === ROWS],
    [
      "a rotation",
      "SELECT tide.outbox_rotate('orders') AS done",
      ({ done }) => done[0].slots[1] === "retention",
    ],
  ];
}

tideTest("no query of a relay walks a backlog of a million messages", async (database) => {
  const { sql } = database;
  const xmax = await fill(sql);
  for (const name of ["start", "run", "done", "late"]) {
    await sql`SELECT tide.relay_set_outbox(${name}, 'orders', ${name}, '{"sink_type": "stdout"}')`;
  }
  await position(sql, xmax, "run", { snapshot: "3:3:", topId: 0 }, "run", ROWS);
  await position(sql, xmax, "done", { snapshot: `${xmax}:${xmax}:`, topId: ROWS }, "run", ROWS);
  await position(sql, xmax, "late", { snapshot: `${xmax}:${xmax}:`, topId: ROWS }, "stragglers", 5);
  for (const [what, query, isRight, most = FEW_BLOCKS] of questions(xmax)) {
    const session = database.connect();
    const [row] = await session.unsafe(query);
    assert.ok(isRight(row!), `${what} answers ${JSON.stringify(row).slice(0, 300)}`);
    // Planned anew, as in a new session, but with the catalog in memory: reading that takes thousands of blocks now and then.
    await session`DISCARD PLANS`;
    const first = await blocks(session, query);
    const again = await blocks(session, query);
    assert.ok(first <= most + PLANNING_BLOCKS, `${what} touches ${first} blocks at first`);
    assert.ok(again <= most, `${what} touches ${again} blocks, expected at most ${most}`);
    await session.end();
  }
  const scan = await blocks(sql, "SELECT tide.start_id(1, clock_timestamp())");
  assert.ok(scan > 10_000, `a scan inside a function must show, and touches ${scan} blocks`);
  // Ten thousand are counted, the rest is estimated.
  const counting = await blocks(sql, "SELECT * FROM tide.pipeline_lag('start')");
  const [lag] = await sql`SELECT messages::int, exact FROM tide.pipeline_lag('start')`;
  assert.deepEqual(lag, { messages: ROWS, exact: false });
  assert.ok(
    counting <= COUNTING_BLOCKS,
    `a long lag touches ${counting} blocks, expected at most ${COUNTING_BLOCKS}`,
  );
});

/** Save a position of a pipeline, in a window from a mark to one that sees everything. */
async function position(
  sql: postgres.Sql,
  xmax: bigint,
  pipeline: string,
  lower: { readonly snapshot: string; readonly topId: number },
  phase: string,
  lastId: number,
): Promise<void> {
  const [, lowerNext] = lower.snapshot.split(":");
  await sql`INSERT INTO tide.window VALUES (${pipeline}, 1, ${lower.snapshot}, ${lower.topId}, ${lowerNext!},
    ${`${xmax}:${xmax}:`}, ${ROWS}, ${String(xmax)})`;
  await sql`INSERT INTO tide.position_log (pipeline, epoch, window_number, phase, last_id)
    VALUES (${pipeline}, 1, 1, ${phase}, ${lastId})`;
}
