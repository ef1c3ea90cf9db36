/**
 * Nothing that finds dead letters or sends them again walks through all of them: few blocks are touched for each letter
 * that is given, with the rights of whoever asks; what a relay asks also before the table was ever analysed.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { readStatement } from "../../../src/pg/statement.ts";
import { tideTest } from "../../support/tide_database.ts";
import { blocks } from "./blocks.ts";

const LETTERS = 200_000;

/** A page of this many lies in a few blocks of the table, and its index entries in one. */
const PAGE = 100;

/**
 * A walk touches thousands: an index of the letters has 1,000 blocks, the table 6,000. Each letter of a list is looked for
 * among what was asked for.
 */
const FEW_BLOCKS = 600;

/** Each letter is taken out of the table, and once looked for. */
const BLOCKS_FOR_EACH = 12;

/** Letters of two pipelines, every tenth of the second; one in a thousand has another code. */
async function fill(sql: postgres.Sql): Promise<void> {
  await sql`SELECT tide.outbox_create('orders'), tide.outbox_create('payroll')`;
  for (const [name, outbox] of [["p", "orders"], ["q", "payroll"]] as const) {
    await sql`SELECT tide.relay_set_outbox(${name}, ${outbox}, 'g', '{"sink_type": "stdout"}')`;
  }
  await sql`
    INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
      attempts, created_at, failed_at, op, dedup_key, payload)
    SELECT CASE WHEN n % 10 = 0 THEN 'q' ELSE 'p' END, 'o', CASE WHEN n % 10 = 0 THEN 2 ELSE 1 END, 'i', n, 0, 'deliver',
      CASE WHEN n % 1000 = 1 THEN 'MESSAGE_TOO_LARGE' ELSE 'TEMPLATE_VALUE_MISSING' END, 'why', 1, now(),
      timestamptz '2026-02-01T00:00:00Z' + make_interval(secs => n), 'insert', 'k', repeat('x', 100)
    FROM generate_series(1, ${LETTERS}::int) n`;
  await sql`UPDATE tide.lease SET holder = 'relay', epoch = 1`;
  await sql`SELECT tide.begin_life()`;
}

/** A query, and how many rows it gives. */
type Question = readonly [what: string, query: string, rows: number];

const OPERATOR: readonly Question[] = [
  ["the first letters", "SELECT * FROM tide.dlq_list()", PAGE],
  ["those of a pipeline", "SELECT * FROM tide.dlq_list('p')", PAGE],
  ["those behind others", `SELECT * FROM tide.dlq_list('p', p_after => ${LETTERS / 2})`, PAGE],
  ["those with a code", "SELECT * FROM tide.dlq_list('p', 'MESSAGE_TOO_LARGE')", PAGE],
  ["those with a code that none has", "SELECT * FROM tide.dlq_list('p', 'NOTHING')", 0],
  ["the first before a time", "SELECT * FROM tide.dlq_list('p', p_before => '2026-02-02T00:00:00Z')", PAGE],
  ["one whole", "SELECT * FROM tide.dlq_show(7)", 1],
  ["how many have a code", "SELECT tide.dlq_count('p', p_code => 'MESSAGE_TOO_LARGE')", 1],
  ["how many are older", "SELECT tide.dlq_count('p', p_before => '2026-02-01T00:01:00Z')", 1],
  ["asking for one", "SELECT * FROM tide.dlq_retry(p_id => 7)", 1],
  ["asking for those with a code", "SELECT * FROM tide.dlq_retry('p', p_code => 'MESSAGE_TOO_LARGE')", 1],
  ["what was asked for", "SELECT * FROM tide.dlq_retries('p')", 3],
];

const read = (retry: number, after: number) =>
  `SELECT * FROM tide.read_letters(${retry}, ${after}, ${PAGE}, 1000000)`;

/** Request 1 is for all letters of `p`, 2 for one, 3 for those with a code. */
const RELAY: readonly Question[] = [
  ["the first page", read(1, 0), 1],
  ["a page in the middle", read(1, LETTERS / 2), 1],
  ["the end", read(1, LETTERS), 1],
  ["the page of one letter", read(2, 0), 1],
  ["a page of those with a code", read(3, 0), 1],
  ["whether anything is to be sent", readStatement("next_retry").replace("$1", "'p'").replace("$2", "1"), 1],
];

/** What a question does is taken back. */
async function check(sql: postgres.Sql, questions: readonly Question[]): Promise<void> {
  for (const [what, query, rows] of questions) {
    await sql`BEGIN`;
    const [found] = await sql.unsafe(`SELECT count(*)::int AS rows FROM (${query}) q`);
    assert.equal(found!["rows"], rows, what);
    const touched = await blocks(sql, query);
    assert.ok(touched <= FEW_BLOCKS, `${what} touches ${touched} blocks, expected at most ${FEW_BLOCKS}`);
    await sql`ROLLBACK`;
  }
}

tideTest(
  "nothing that finds dead letters or sends them again walks through all of them",
  async (database) => {
    const { sql } = database;
    await fill(sql);
    const [operator, relay] = await Promise.all([database.createRole(), database.createRole()]);
    await sql`SELECT tide.grant_pipeline('orders', ${operator.name}), tide.grant_relay(${relay.name})`;
    for (const args of ["'p'", "p_id => 7", "'p', p_code => 'MESSAGE_TOO_LARGE'"]) {
      await operator.sql.unsafe(`SELECT * FROM tide.dlq_retry(${args})`);
    }
    await check(relay.sql, RELAY);
    await sql`ANALYZE tide.dead_letter`;
    await check(operator.sql, OPERATOR);

    const ids = await sql`SELECT id::int FROM tide.dlq_list('p')`;
    const done = `{${ids.map(({ id }) => id).join()}}`;
    const edits = `{${ids.map(() => 0).join()}}`;
    const [{ life }] = await sql`SELECT tide.life() AS life` as unknown as [{ life: string }];
    await relay.sql.unsafe(`PREPARE settle AS ${readStatement("settle_letters")}`);
    const touched = await blocks(
      relay.sql,
      `EXECUTE settle ('p', 'relay', 1, '${life}', 1, 1, ${PAGE}, '${done}', '${edits}', '[]', 0, 0)`,
    );
    const left = await sql`SELECT FROM tide.dead_letter WHERE pipeline = 'p'`;
    assert.equal(left.length, LETTERS / 10 * 9 - PAGE);
    assert.ok(touched <= PAGE * BLOCKS_FOR_EACH, `settling ${PAGE} letters touches ${touched} blocks`);

    const walk = await blocks(operator.sql, "SELECT tide.dlq_count('p')");
    assert.ok(walk > 10 * FEW_BLOCKS, `a walk must show, and touches ${walk} blocks`);
  },
);
