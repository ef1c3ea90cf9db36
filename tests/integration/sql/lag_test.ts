/**
 * How far pipelines are behind, at any point of reading; and where reading starts.
 */

import { strict as assert } from "node:assert";
import type postgres from "postgres";
import type { Mark, Phase } from "../../../src/record/position.ts";
import { type TideDatabase, tideTest } from "../../support/tide_database.ts";
import { savePosition, takeMark, ZERO } from "./positions.ts";

interface Lag {
  readonly messages: number | null;
  readonly exact: boolean | null;
  readonly seconds: number | null;
}

async function lag(sql: postgres.Sql, pipeline = "p"): Promise<Lag> {
  const [row] = await sql<Lag[]>`SELECT messages::int, exact, seconds FROM tide.pipeline_lag(${pipeline})`;
  return { ...row! };
}

async function makeOutbox(sql: postgres.Sql, config: Record<string, string> = {}): Promise<void> {
  await sql`SELECT tide.outbox_create('orders')`;
  await sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', ${
    sql.json({ sink_type: "stdout", ...config })
  })`;
}

/** Reads the outbox by pages of three, and saves its position behind each. */
class SlowReader {
  readonly #sql: postgres.Sql;
  #number = 1;
  #lower: Mark = ZERO;
  #upper: Mark | null = null;
  #phase: Phase = "stragglers";
  #after = 0;
  delivered = 0;

  constructor(sql: postgres.Sql) {
    this.#sql = sql;
  }

  /** One page, or one step to the next phase or window. */
  async step(): Promise<void> {
    const upper = this.#upper ??= await takeMark(this.#sql);
    const lower = this.#lower;
    const [page] = this.#phase === "run"
      ? await this.#sql`SELECT n, last_id::int FROM
          tide.read_run_1(${lower.snapshot}, ${upper.snapshot}, ${this.#after}, ${upper.topId}, 3, 1000)`
      : await this
        .#sql`SELECT n, last_id::int FROM tide.read_stragglers_1(${lower.snapshot}, ${upper.snapshot},
          ${lower.topId}, ${lower.nextXid}, ${this.#after}, 3, 1000)`;
    if (page!["n"] === 0) {
      this.#endPhase(upper);
      return;
    }
    this.delivered += page!["n"];
    this.#after = page!["last_id"];
    const [phase, number] = [this.#phase, this.#number];
    await savePosition(this.#sql, "p", { number, lower, upper, phase, lastId: this.#after });
  }

  #endPhase(upper: Mark): void {
    if (this.#phase === "stragglers") {
      this.#phase = "run";
      this.#after = this.#lower.topId;
      return;
    }
    this.#phase = "stragglers";
    this.#after = 0;
    this.#lower = upper;
    this.#upper = null;
    this.#number++;
  }
}

/** Transactions that are open for a while, and how many messages were committed. */
class Writers {
  readonly #idle: postgres.Sql[];
  readonly #open: { sql: postgres.Sql; messages: number }[] = [];
  committed = 0;

  constructor(database: TideDatabase, count: number) {
    this.#idle = Array.from({ length: count }, () => database.connect());
  }

  async begin(): Promise<void> {
    const sql = this.#idle.pop();
    if (sql === undefined) return;
    await sql`BEGIN`;
    await sql`SELECT tide.outbox_publish('orders', '1') FROM generate_series(1, 2)`;
    this.#open.push({ sql, messages: 2 });
  }

  async publishMore(place: number): Promise<void> {
    const writer = this.#open[Math.floor(place * this.#open.length)];
    if (writer === undefined) return;
    await writer.sql`SELECT tide.outbox_publish('orders', '1')`;
    writer.messages++;
  }

  async end(place: number, statement: "COMMIT" | "ROLLBACK"): Promise<void> {
    const [writer] = this.#open.splice(Math.floor(place * this.#open.length), 1);
    if (writer === undefined) return;
    await writer.sql.unsafe(statement);
    if (statement === "COMMIT") this.committed += writer.messages;
    this.#idle.push(writer.sql);
  }
}

tideTest(
  "the lag is what was committed and is not delivered, at every point of every window",
  async (database) => {
    const { sql } = database;
    await makeOutbox(sql);
    const reader = new SlowReader(sql);
    const writers = new Writers(database, 6);
    const seen = new Set<number>();
    for (let step = 0; step < 400; step++) {
      const chance = (step * 0.618033988749895) % 1;
      const place = (step * 0.414213562373095) % 1;
      if (chance < 0.15) await writers.begin();
      else if (chance < 0.25) await writers.publishMore(place);
      else if (chance < 0.35) await writers.end(place, "COMMIT");
      else if (chance < 0.38) await writers.end(place, "ROLLBACK");
      else await reader.step();
      const { messages, exact, seconds } = await lag(sql);
      assert.equal(messages, writers.committed - reader.delivered, `step ${step}`);
      assert.equal(exact, true);
      assert.ok(messages === 0 ? seconds === 0 : seconds! > 0);
      // Rotation asks the same question of the only slot that is used here.
      const [slot] = await sql`SELECT tide.undelivered_pipelines(1, 0) AS pipelines`;
      assert.deepEqual(slot!["pipelines"], messages === 0 ? [] : ["p"], `step ${step}`);
      seen.add(messages!);
    }
    assert.ok(
      reader.delivered > 50 && seen.size > 5,
      `${reader.delivered} delivered, lags ${[...seen].join()}`,
    );
  },
);

tideTest("beyond ten thousand messages the lag is estimated, and says so", async ({ sql }) => {
  await makeOutbox(sql);
  await sql`SELECT tide.outbox_publish('orders', '1') FROM generate_series(1, 10000)`;
  assert.deepEqual({ ...await lag(sql), seconds: 0 }, { messages: 10_000, exact: true, seconds: 0 });
  await sql`SELECT tide.outbox_publish('orders', '1') FROM generate_series(1, 500)`;
  assert.deepEqual({ ...await lag(sql), seconds: 0 }, { messages: 10_500, exact: false, seconds: 0 });
  const upper = await takeMark(sql);
  await savePosition(sql, "p", { upper, lastId: 10_400 });
  assert.deepEqual({ ...await lag(sql), seconds: 0 }, { messages: 100, exact: true, seconds: 0 });
});

tideTest("the lag in seconds is the age of the first message that is left", async ({ sql }) => {
  await makeOutbox(sql);
  await sql`SELECT tide.outbox_publish('orders', '1') FROM generate_series(1, 3)`;
  await sql`UPDATE tide.message_1 SET created_at = clock_timestamp() - make_interval(mins => 10 - id::int)`;
  const minutes = async () => Math.floor((await lag(sql)).seconds! / 60);
  assert.equal(await minutes(), 9);
  await savePosition(sql, "p", { upper: await takeMark(sql), lastId: 2 });
  assert.equal(await minutes(), 7);
});

tideTest(
  "a pipeline that starts late has no lag before its first position, and an unknown one has none",
  async ({ sql }) => {
    await makeOutbox(sql, { start: "latest" });
    await sql`SELECT tide.outbox_publish('orders', '1')`;
    const none = { messages: null, exact: null, seconds: null };
    assert.deepEqual(await lag(sql), none);
    assert.deepEqual(await lag(sql, "nothing"), none);
    await assert.rejects(sql`SELECT * FROM tide.consumer_group_status('nothing')`, { code: "TD001" });
    const [group] = await sql`SELECT * FROM tide.consumer_group_status('orders')`;
    assert.deepEqual(group, {
      outbox: "orders",
      consumer_group: "g",
      pipeline: "p",
      enabled: false,
      lag_messages: null,
      lag_exact: null,
      lag_seconds: null,
    });
  },
);

tideTest("reading from a time on misses nothing that was published then or later", async ({ sql }) => {
  await makeOutbox(sql);
  const startAt = async (time: string) =>
    (await sql`SELECT tide.start_id(1, ${time}::text::timestamptz)::int AS id`)[0]!["id"];
  assert.equal(await startAt("2026-01-01T00:00Z"), 0, "an empty outbox");
  await sql`SELECT tide.outbox_publish('orders', '1') FROM generate_series(1, 6)`;
  // Clocks and commits do not keep the order of ids: 4 is older than 3.
  for (const [id, minute] of [[1, 1], [2, 2], [3, 4], [4, 3], [5, 5], [6, 6]] as const) {
    await sql`UPDATE tide.message_1 SET created_at = ${`2026-01-01T00:0${minute}Z`}::text::timestamptz WHERE id = ${id}`;
  }
  const starts = await Promise.all(
    [0, 1, 2, 3, 4, 5, 6, 7].map((minute) => startAt(`2026-01-01T00:0${minute}Z`)),
  );
  assert.deepEqual(starts, [0, 0, 1, 2, 2, 4, 5, 6]);
});
