/**
 * What publishing costs beside one INSERT of the same row into the same partitions and indexes. The two take turns.
 *
 * @module
 */

import postgres from "postgres";
import { runCommand, runOrThrow } from "../support/command.ts";
import { MissingToolError } from "../support/errors.ts";
import { type TestRole, type TideDatabase, tideDatabase } from "../support/tide_database.ts";
import type { BenchContext } from "./context.ts";
import { keyOf, payloadOf } from "./payload.ts";
import { besideNeighbour, type Result } from "./results.ts";

/** Publishing may take 1.3 times as long. */
const GOAL = 1 / 1.3;

const OUTBOX = "orders";

/** A way to run one of the two many times. Returns microseconds per message. */
type Turn = () => Promise<number>;

interface Pair {
  readonly publish: Turn;
  readonly insert: Turn;
}

/** Publish and insert in turns, as a role that may do just that: in transactions of their own, and in a loop on the server. */
export async function measurePublishCost(context: BenchContext): Promise<Result[]> {
  const { progress, scale } = context;
  await using database = await tideDatabase(context.postgres);
  await database.sql`SELECT tide.outbox_create(${OUTBOX})`;
  const number = await outboxNumber(database);
  const insert = insertOf(number);
  const app = await publisherOf(database, number);
  const byPgbench = await hasPgbench();
  const client = byPgbench ? "pgbench" : "npm:postgres (there is no pgbench here)";
  const figures = [
    {
      name: "publish_transaction",
      note: `one per transaction, prepared, one client, by ${client}; baseline: INSERT of the same row`,
      pair: transactionPair(app, insert, scale.publishS, byPgbench, "on"),
    },
    {
      name: "publish_transaction_async",
      note: "the same with synchronous_commit off: without the disk's share",
      pair: transactionPair(app, insert, scale.publishS, byPgbench, "off"),
    },
    {
      name: "publish_loop",
      note: "in a loop on the server, one transaction: neither client nor commit",
      pair: loopPair(app.sql, insert, scale.publishCalls),
    },
  ];
  const results: Result[] = [];
  for (const { name, note, pair } of figures) {
    const { inserts, publishes } = await takeTurns(pair, scale.publishTurns);
    const goal = name === "publish_transaction" ? GOAL : null;
    const result = besideNeighbour({ name, unit: "µs", better: "less", note }, publishes, inserts, goal);
    results.push(result);
    progress(`${name}: ${result.value.toFixed(1)} µs, INSERT ${result.baseline?.toFixed(1)} µs`);
  }
  return results;
}

/** One turn of each is not counted: it fills caches and plans. */
async function takeTurns({ publish, insert }: Pair, rounds: number) {
  await insert();
  await publish();
  const publishes: number[] = [];
  const inserts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    inserts.push(await insert());
    publishes.push(await publish());
  }
  return { publishes, inserts };
}

/** The row that publish writes; its text is there already, so it pays for no jsonb. */
function insertOf(number: number): string {
  return `INSERT INTO tide.message_${number} (id, xid, created_at, slot, op, dedup_key, payload) ` +
    `VALUES (nextval('tide.id_${number}'), pg_current_xact_id(), clock_timestamp(), 0, 'i', `;
}

async function outboxNumber({ sql }: TideDatabase): Promise<number> {
  const [row] = await sql<{ number: number }[]>`SELECT number FROM tide.outbox WHERE name = ${OUTBOX}`;
  return row!.number;
}

/** A role that may publish, and insert past the functions. */
async function publisherOf(database: TideDatabase, number: number): Promise<TestRole> {
  const role = await database.createRole();
  await database.sql`SELECT tide.grant_publish(${OUTBOX}, ${role.name})`;
  await database.sql.unsafe(`GRANT INSERT ON tide.message_${number} TO ${role.name}`);
  await database.sql.unsafe(`GRANT USAGE ON SEQUENCE tide.id_${number} TO ${role.name}`);
  return role;
}

async function hasPgbench(): Promise<boolean> {
  try {
    return (await runCommand("pgbench", ["--version"])).code === 0;
  } catch (error) {
    if (error instanceof MissingToolError) return false;
    throw error;
  }
}

type SynchronousCommit = "on" | "off";

function transactionPair(
  { url }: TestRole,
  insert: string,
  seconds: number,
  byPgbench: boolean,
  commit: SynchronousCommit,
): Pair {
  if (byPgbench) {
    return {
      publish: () =>
        pgbench(url, `SELECT tide.outbox_publish('${OUTBOX}', :payload::jsonb, :key)`, seconds, commit),
      insert: () => pgbench(url, `${insert}:key, :payload)`, seconds, commit),
    };
  }
  const publish = (sql: postgres.Sql) =>
    sql.unsafe(
      `SELECT tide.outbox_publish('${OUTBOX}', $1::text::jsonb, $2)`,
      [payloadOf(1), keyOf(1)],
      PREPARED,
    );
  return {
    publish: () => driverTurn(url, publish, seconds, commit),
    insert: () =>
      driverTurn(
        url,
        (sql) => sql.unsafe(`${insert}$2, $1)`, [payloadOf(1), keyOf(1)], PREPARED),
        seconds,
        commit,
      ),
  };
}

const PREPARED = { prepare: true } as const;

async function pgbench(
  url: string,
  statement: string,
  seconds: number,
  commit: SynchronousCommit,
): Promise<number> {
  const script = await Deno.makeTempFile({ prefix: "pg-tide-bench-", suffix: ".sql" });
  try {
    await Deno.writeTextFile(script, `${statement};\n`);
    const variables = ["-D", `payload=${payloadOf(1)}`, "-D", `key=${keyOf(1)}`];
    const args = ["-n", "-M", "prepared", "-c", "1", "-T", String(seconds), "-f", script, ...variables, url];
    const printed = await runOrThrow("pgbench", args, {
      env: { PGOPTIONS: `-c synchronous_commit=${commit}` },
    });
    const latencyMs = Number(/latency average = ([0-9.]+) ms/.exec(printed)?.[1]);
    if (!(latencyMs > 0)) throw new Error(`Cannot read what pgbench printed:\n${printed}`);
    return latencyMs * 1_000;
  } finally {
    await Deno.remove(script);
  }
}

async function driverTurn(
  url: string,
  execute: (sql: postgres.Sql) => Promise<unknown>,
  seconds: number,
  commit: SynchronousCommit,
): Promise<number> {
  const sql = postgres(url, { max: 1, connection: { synchronous_commit: commit } });
  try {
    await execute(sql);
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < seconds * 1_000) {
      await execute(sql);
      calls++;
    }
    return (performance.now() - start) * 1_000 / calls;
  } finally {
    await sql.end();
  }
}

function loopPair(sql: postgres.Sql, insert: string, calls: number): Pair {
  const payload = payloadOf(1);
  const loop = (declarations: string, statement: string): Turn => async () => {
    const body = `DECLARE ${declarations} BEGIN FOR i IN 1..${calls} LOOP ${statement}; END LOOP; END`;
    const start = performance.now();
    await sql.unsafe(`DO $loop$ ${body} $loop$`);
    return (performance.now() - start) * 1_000 / calls;
  };
  return {
    publish: loop(
      `v_payload jsonb := $payload$${payload}$payload$;`,
      `PERFORM tide.outbox_publish('${OUTBOX}', v_payload, '${keyOf(1)}')`,
    ),
    insert: loop(`v_payload text := $payload$${payload}$payload$;`, `${insert}'${keyOf(1)}', v_payload)`),
  };
}
