/**
 * Asking for dead letters to be sent again: which, by whom, and what is refused. Sending them is the relay's part.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import { tideTest } from "../../support/tide_database.ts";

/** Two outboxes with pipelines `p` and `q`, and letters 1 to 6: odd ones of `p`, even ones of `q`, a day after the other. */
async function setUp(sql: postgres.Sql): Promise<void> {
  await sql`SELECT tide.outbox_create('orders', max_message_bytes => 200), tide.outbox_create('payroll')`;
  for (const [pipeline, outbox] of [["p", "orders"], ["q", "payroll"]] as const) {
    await configure(sql, pipeline, outbox);
  }
  await addLetters(sql);
}

async function configure(
  sql: postgres.Sql,
  pipeline: string,
  outbox: string,
  group = pipeline,
): Promise<void> {
  await sql`SELECT tide.relay_set_outbox(${pipeline}, ${outbox}, ${group}, '{"sink_type": "stdout"}')`;
  await sql`SELECT tide.relay_enable(${pipeline})`;
}

async function addLetters(sql: postgres.Sql): Promise<void> {
  await sql`
    INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
      attempts, created_at, failed_at, op, dedup_key, payload)
    SELECT CASE n % 2 WHEN 1 THEN 'p' ELSE 'q' END, CASE n % 2 WHEN 1 THEN 'orders' ELSE 'payroll' END, 2 - n % 2, 'i', n, 0,
      'deliver', CASE WHEN n > 4 THEN 'MESSAGE_TOO_LARGE' ELSE 'TEMPLATE_VALUE_MISSING' END, 'reason ' || n, n,
      '2026-01-01T00:00:00Z', timestamptz '2026-02-01T00:00:00Z' + make_interval(days => n), 'insert', 'key ' || n, '{"n": 1}'
    FROM generate_series(1, 6) n`;
}

/** Ask; the number of the request, and how many letters that are. */
async function retry(sql: postgres.Sql, args: string): Promise<[number | null, number]> {
  const [row] = await sql.unsafe(`SELECT retry::int, letters::int FROM tide.dlq_retry(${args})`);
  return [row!["retry"], row!["letters"]];
}

/** Which letters somebody waits for, by what asked for them. */
async function waiting(sql: postgres.Sql): Promise<Record<number, number>> {
  const rows = await sql`SELECT id::int, retry::int FROM tide.dlq_list() WHERE retry IS NOT NULL`;
  return Object.fromEntries(rows.map(({ id, retry }) => [id, retry]));
}

tideTest("dlq_retry() asks for what matches all arguments, and says how many that are", async ({ sql }) => {
  await setUp(sql);
  assert.deepEqual(await retry(sql, "'p', p_code => 'MESSAGE_TOO_LARGE'"), [1, 1]);
  assert.deepEqual(await retry(sql, "p_id => 2"), [2, 1]);
  assert.deepEqual(await waiting(sql), { 2: 2, 5: 1 });
  assert.deepEqual(await retry(sql, "'q', p_before => '2026-02-06T00:00:00Z', p_rate => 7"), [3, 2]);
  assert.deepEqual(await retry(sql, "'p'"), [4, 3]);
  assert.deepEqual(await waiting(sql), { 1: 4, 2: 2, 3: 4, 4: 3, 5: 1 });
  const retries = await sql`
    SELECT retry::int, pipeline, source, letter::int, code, before IS NOT NULL AS timed, rate, letters::int, waiting::int, state
    FROM tide.dlq_retries() WHERE retry IN (2, 3) ORDER BY retry`;
  const common = { pipeline: "q", source: "q", code: null, state: "open" };
  assert.deepEqual(retries.map((row) => ({ ...row })), [
    { retry: 2, ...common, letter: 2, timed: false, rate: null, letters: 1, waiting: 1 },
    { retry: 3, ...common, letter: null, timed: true, rate: 7, letters: 2, waiting: 2 },
  ]);
  const numbers = await sql`SELECT retry::int FROM tide.dlq_retries('p', p_limit => 1)`;
  assert.deepEqual(numbers.map(({ retry }) => retry), [4], "newest first");
});

tideTest("dlq_retry() asks for nothing when nothing matches, or in a dry run", async ({ sql }) => {
  await setUp(sql);
  assert.deepEqual(await retry(sql, "'p', p_dry_run => true"), [null, 3]);
  assert.deepEqual(await retry(sql, "'p', p_code => 'NOTHING'"), [null, 0]);
  assert.deepEqual(await retry(sql, "p_id => 1, p_payload => '1', p_dry_run => true"), [null, 1]);
  assert.deepEqual([...await sql`SELECT FROM tide.dlq_retries()`], []);
  assert.deepEqual([...await sql`SELECT FROM tide.dead_letter WHERE edits > 0`], []);
});

tideTest("dlq_retry() keeps an edited payload beside the original", async ({ sql }) => {
  await setUp(sql);
  for (const [edits, payload] of [[1, '{"big": 12345678901234567890.10}'], [2, "null"]] as const) {
    await retry(sql, `p_id => 1, p_payload => '${payload}'`);
    const [row] = await sql`SELECT payload, edited_payload, edits FROM tide.dlq_show(1)`;
    assert.deepEqual({ ...row }, { payload: '{"n": 1}', edited_payload: payload, edits });
  }
  await assert.rejects(retry(sql, `p_id => 1, p_payload => to_jsonb(repeat('x', 200))`), {
    code: "TD006",
    message:
      "Cannot retry dead letter 1: with p_payload the message has 207 bytes as text, expected at most 200",
  });
});

tideTest("dlq_retry() refuses what makes no sense, with what to do", async ({ sql }) => {
  await setUp(sql);
  const refusals: readonly [args: string, code: string, message: RegExp, hint: RegExp][] = [
    ["", "TD051", /nothing says which, expected p_pipeline or p_id$/, /For example/],
    ["p_code => 'MESSAGE_TOO_LARGE'", "TD051", /expected p_pipeline or p_id$/, /For example/],
    ["'p', p_payload => '1'", "TD052", /p_payload is given without p_id/, /p_id => 7/],
    ["'p', p_rate => 0", "TD052", /p_rate is 0, expected 1 to 1000000/, /Leave p_rate out/],
    ["p_id => 99", "TD050", /^Cannot retry dead letter 99: there is none for role/, /dlq_list/],
    ["'p', 2", "TD050", /^Cannot retry dead letter 2: it is of pipeline "q", expected "p"$/, /dlq_list/],
    ["'nothing'", "TD020", /there is no pipeline "nothing" for role/, /relay_list_configs/],
    ["'p', p_into => 'q'", "TD053", /through "q": it can send them itself$/, /Leave p_into out/],
  ];
  for (const [args, code, message, hint] of refusals) {
    await assert.rejects(retry(sql, args), { code, message, hint }, args);
  }
  assert.deepEqual([...await sql`SELECT FROM tide.dlq_retries()`], []);
});

tideTest(
  "the letters of a deleted pipeline go through another one of its outbox, one at a time",
  async ({ sql }) => {
    await setUp(sql);
    await sql`SELECT tide.relay_delete('p')`;
    await configure(sql, "new", "orders", "new");
    await configure(sql, "other", "orders", "other");
    for (const args of ["'p'", "p_id => 1"]) {
      await assert.rejects(retry(sql, args), {
        code: "TD053",
        message: /"p": it was deleted$/,
        hint: /p_into/,
      });
    }
    await assert.rejects(retry(sql, "'p', p_into => 'nothing'"), { code: "TD020" });
    await assert.rejects(retry(sql, "'p', p_into => 'q'"), {
      code: "TD053",
      message: /they are of another outbox/,
    });
    assert.deepEqual(await retry(sql, "'p', p_into => 'new'"), [1, 3]);
    assert.deepEqual(await retry(sql, "p_id => 1, p_into => 'new'"), [2, 1]);
    await assert.rejects(retry(sql, "'p', p_into => 'other'"), {
      code: "TD055",
      message: /"new" is sending them$/,
    });
    // It would send them itself now, while the other one does.
    await configure(sql, "p", "orders", "p");
    await assert.rejects(retry(sql, "'p'"), { code: "TD055", hint: /dlq_cancel/ });
    await sql`SELECT tide.dlq_cancel(1), tide.dlq_cancel(2)`;
    assert.deepEqual(await retry(sql, "'p'"), [3, 3]);
  },
);

tideTest(
  "a pipeline that was made again with another outbox does not send the letters of the first",
  async ({ sql }) => {
    await setUp(sql);
    await sql`SELECT tide.relay_delete('p')`;
    await configure(sql, "p", "payroll", "p");
    for (const args of ["'p'", "p_id => 1"]) {
      await assert.rejects(retry(sql, args), { code: "TD053", message: /they are of another outbox$/ });
    }
  },
);

tideTest("dlq_retry() says that a disabled pipeline sends nothing yet", async (database) => {
  const notices: string[] = [];
  const sql = database.connect({ onnotice: (notice) => notices.push(notice["message"]!) });
  await setUp(sql);
  notices.length = 0;
  await retry(sql, "'p'");
  assert.deepEqual(notices, []);
  await sql`SELECT tide.relay_disable('p')`;
  await retry(sql, "'p'");
  assert.deepEqual(notices, [`Pipeline "p" is disabled: the dead letters are sent when it is enabled`]);
});

tideTest("dlq_cancel() calls off what is not done, once", async ({ sql }) => {
  await setUp(sql);
  await retry(sql, "'p'");
  const cancel = async (id: string) =>
    (await sql.unsafe(`SELECT tide.dlq_cancel(${id}) AS done`))[0]!["done"];
  assert.deepEqual([await cancel("1"), await cancel("1")], [true, false]);
  const [row] =
    await sql`SELECT state, waiting::int, finished_at IS NOT NULL AS ended FROM tide.dlq_retries()`;
  assert.deepEqual({ ...row }, { state: "cancelled", waiting: 0, ended: true });
  assert.deepEqual(await waiting(sql), {});
  for (const id of ["2", "NULL"]) {
    await assert.rejects(cancel(id), {
      code: "TD054",
      message: new RegExp(`^Cannot cancel retry ${id}: `),
      hint: /dlq_retries/,
    });
  }
});

tideTest("what is asked for goes with its pipeline, and the letters stay", async ({ sql }) => {
  await setUp(sql);
  await retry(sql, "'p'");
  await sql`SELECT tide.relay_delete('p')`;
  assert.deepEqual([...await sql`SELECT FROM tide.dlq_retries()`], []);
  assert.equal((await sql`SELECT FROM tide.dlq_list('p')`).length, 3);
});

tideTest(
  "a role asks for the letters of its outboxes alone, and cannot write by other ways",
  async (database) => {
    const { sql } = database;
    await setUp(sql);
    const role = await database.createRole();
    await sql`SELECT tide.grant_pipeline('orders', ${role.name})`;
    assert.deepEqual(await retry(role.sql, "p_id => 1, p_payload => '{}'"), [1, 1]);
    await assert.rejects(retry(role.sql, "'q'"), { code: "TD020" });
    await assert.rejects(retry(role.sql, "p_id => 2"), { code: "TD050" });
    // Its own row with another outbox's pipeline in it, by the function that stands behind.
    const [row] = await role.sql`
    SELECT letters::int FROM tide.retry_1('request', (NULL, 'q', 'q', 2, NULL, NULL, NULL, 0, NULL, 0, 0, 0, 0, '', NULL, NULL, false)
      ::tide.dead_letter_retry, NULL)`;
    assert.equal(row!["letters"], 0, "the number of the outbox is the function's");
    for (
      const statement of [
        "INSERT INTO tide.dead_letter_retry (pipeline, source, outbox_number, top_id, letters) VALUES ('p', 'p', 1, 9, 1)",
        "UPDATE tide.dead_letter_retry SET rate = 1",
        "DELETE FROM tide.dead_letter_retry",
        "UPDATE tide.dead_letter SET edited_payload = 'x'",
      ]
    ) await assert.rejects(role.sql.unsafe(statement), { code: "42501" }, statement);
    const [{ asked }] = await role.sql`SELECT requested_by AS asked FROM tide.dlq_retries()` as unknown as [
      { asked: string },
    ];
    assert.equal(asked, role.name);
  },
);
