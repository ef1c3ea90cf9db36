/**
 * Dead letters that are sent again by whole relays to a real Kafka: P7, with a broker that is set right, edits, rates, and
 * relays that die.
 */

import assert from "node:assert/strict";
import { readTopic, textOf } from "../../support/consume.ts";
import { type SharedKafka, sharedKafka } from "../../support/kafka.ts";
import { configureTopic } from "../../support/kafka_admin.ts";
import { sharedPostgres } from "../../support/postgres.ts";
import { addPipeline, printedBy, startRelay, statusOf } from "../../support/printing_relays.ts";
import type { RelayProcess } from "../../support/relay_process.ts";
import { type TideDatabase, tideDatabase } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";

/** Outbox and pipeline. */
const NAME = "orders";

const LETTERS = 20_000;

/** So many that a minute is not enough, at ten a second. */
const SLOW = 1_000;

/** A relay without another one keeps its lease also on a machine that is busy with other things. */
const ALONE = ["--lease-ms", "60000"];

/** What is published beside a retry. */
const PUBLISHED = 500;

/** A topic of its own with so many partitions. */
async function openTopic(
  kafka: SharedKafka,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
) {
  const topic = `retry-${crypto.randomUUID()}`;
  await kafka.createTopic(topic, partitions, config);
  const read = async () => (await readTopic(kafka.brokers, topic)).map(textOf);
  return {
    topic,
    read,
    /** How many records it holds. */
    sent: async () => (await kafka.offsets(topic)).reduce((sum, { high }) => sum + Number(high), 0),
    config: { sink_type: "kafka", brokers: kafka.brokers, topic },
    /** The records, once there are so many. */
    has: (count: number) =>
      waitUntil(async () => {
        const records = await read();
        return records.length >= count && records;
      }, { what: `${count} records in ${topic}`, timeoutMs: 60_000, intervalMs: 200 }),
    [Symbol.asyncDispose]: () => kafka.deleteTopic(topic),
  };
}

/** Ask; the number of the request. */
async function retry(database: TideDatabase, args: string): Promise<number> {
  const [row] = await database.sql.unsafe(`SELECT retry::int FROM tide.dlq_retry(${args})`);
  return row!["retry"];
}

/** What became of a request, once it is done. */
async function finished(database: TideDatabase, number: number, timeoutMs = 60_000) {
  return await waitUntil(async () => {
    const [row] = await database.sql`
      SELECT letters::int, delivered::int, refused::int, extract(epoch FROM finished_at - requested_at)::float8 AS seconds
      FROM tide.dlq_retries(p_retry => ${number}) WHERE state = 'finished'`;
    return row;
  }, { what: `retry ${number} to be done`, timeoutMs });
}

async function letterCodes(database: TideDatabase): Promise<string[]> {
  return (await database.sql`SELECT code FROM tide.dlq_list()`).map(({ code }) => code);
}

async function positionOf(database: TideDatabase): Promise<string> {
  const [row] = await database.sql`SELECT last_id FROM tide.position_log ORDER BY n DESC LIMIT 1`;
  return row!["last_id"];
}

Deno.test("P7: a message too large for its topic is a dead letter, and arrives when the topic takes it and it is retried", async () => {
  await using topic = await openTopic(await sharedKafka(), 1, { "max.message.bytes": "20000" });
  await using database = await tideDatabase(await sharedPostgres(18));
  await addPipeline(database, NAME, topic.config);
  const large = crypto.getRandomValues(new Uint8Array(20_000)).toBase64();
  for (const [n, text] of [[1, "a"], [2, large], [3, "b"], [4, large]] as const) {
    await database.sql`SELECT tide.outbox_publish(${NAME}, ${
      JSON.stringify({ n, text })
    }::text::jsonb, ${`key ${n}`},
      p_headers => '{"traceparent": "00-1"}')`;
  }
  await using relay = await startRelay(database.url, ALONE);
  await waitUntil(async () => (await letterCodes(database)).length === 2, { what: "two dead letters" });
  assert.deepEqual((await topic.has(2)).map(({ key }) => key), ["key 1", "key 3"]);
  const before = await positionOf(database);

  const inVain = await finished(database, await retry(database, `'${NAME}'`));
  assert.deepEqual([inVain["delivered"], inVain["refused"]], [0, 2]);
  assert.deepEqual(await letterCodes(database), ["MESSAGE_TOO_LARGE", "MESSAGE_TOO_LARGE"]);
  // The last one is made small instead.
  const [{ id }] = await database.sql`SELECT max(id)::int AS id FROM tide.dead_letter` as unknown as [
    { id: number },
  ];
  const edited = await finished(database, await retry(database, `p_id => ${id}, p_payload => '{"n": 4.0}'`));
  assert.equal(edited["delivered"], 1);
  await configureTopic((await sharedKafka()).brokers, topic.topic, { "max.message.bytes": "200000" });
  const done = await finished(database, await retry(database, `'${NAME}', p_code => 'MESSAGE_TOO_LARGE'`));
  assert.deepEqual([done["letters"], done["delivered"]], [1, 1]);

  const records = await topic.has(4);
  assert.equal(records.length, 4, "each once");
  const [incarnation] = records[0]!.headers["pg_tide_id"]!.split("-");
  assert.deepEqual(
    records.map(({ key, headers }) => [key, headers["pg_tide_id"], headers["pg_tide_retry"] ?? null]),
    [
      ["key 1", `${incarnation}-1`, null],
      ["key 3", `${incarnation}-3`, null],
      ["key 4", `${incarnation}-4`, "2"],
      ["key 2", `${incarnation}-2`, "2"],
    ],
  );
  assert.deepEqual(records.map(({ headers }) => headers["traceparent"]), Array(4).fill("00-1"));
  assert.deepEqual([records[2]!.value, JSON.parse(records[3]!.value!).text], ['{"n": 4.0}', large]);
  assert.deepEqual([await letterCodes(database), await positionOf(database)], [[], before]);
  assert.equal(await relay.stop(), 0);
});

/** Letters as if a pipeline had filed them. */
async function addLetters(database: TideDatabase, count: number): Promise<void> {
  await database.sql`
    INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
      attempts, created_at, op, dedup_key, payload)
    SELECT ${NAME}, ${NAME}, 1, 'dead', n, 0, 'route', 'CODE', 'why', 1, now(), 'insert', 'key ' || n % 10,
      '{"n": ' || n || '}' FROM generate_series(1, ${count}::int) n`;
}

/** Check that each letter of {@link addLetters} is in the table or was sent; in between it is both. */
async function eachSentOrThere(
  database: TideDatabase,
  read: () => Promise<readonly string[]>,
  count: number,
): Promise<void> {
  const rows = await database.sql`SELECT payload FROM tide.dead_letter`;
  const seen = new Set([...rows.map(({ payload }) => payload), ...await read()]);
  for (let n = 1; n <= count; n++) {
    assert.ok(seen.has(`{"n": ${n}}`), `letter ${n} is neither sent nor there`);
  }
}

Deno.test("a retry keeps to its rate, and can be called off", async () => {
  await using topic = await openTopic(await sharedKafka(), 1);
  await using database = await tideDatabase(await sharedPostgres(18));
  await addPipeline(database, NAME, topic.config);
  await addLetters(database, SLOW);
  await using relay = await startRelay(database.url, ALONE);
  const number = await retry(database, `'${NAME}', p_before => now() + interval '1 day', p_rate => 10`);
  await topic.has(10);
  await database.sql`SELECT tide.dlq_cancel(${number})`;
  const [row] = await database.sql`
    SELECT extract(epoch FROM finished_at - requested_at)::float8 AS seconds FROM tide.dlq_retries()`;
  // The first goes at once, then ten a second; what was in flight may still arrive.
  const sent = (await topic.read()).length;
  assert.ok(sent <= 10 * row!["seconds"] + 1 + 10, `${sent} in ${row!["seconds"]} seconds`);
  await eachSentOrThere(database, async () => (await topic.read()).map(({ value }) => value!), SLOW);
  assert.ok((await letterCodes(database)).length > 0);
  assert.equal(await relay.stop(), 0);
});

Deno.test("a pipeline with as many dead letters as it may have waits for room, and drops none", async () => {
  await using database = await tideDatabase(await sharedPostgres(18));
  await addPipeline(database, NAME, { topic: "t-{payload.x}", dlq: { max_letters: 2 } });
  for (const payload of ['{"n": 1}', '{"n": 2}', '{"n": 3}', '{"n": 4, "x": 1}']) {
    await database.sql`SELECT tide.outbox_publish(${NAME}, ${payload}::text::jsonb)`;
  }
  await using relay = await startRelay(database.url, ALONE);
  const reaches = (state: string) =>
    waitUntil(async () => {
      const status = (await statusOf(database.url)).get(NAME)!;
      return status.state === state && status;
    }, { what: `the pipeline to be ${state}`, timeoutMs: 60_000, intervalMs: 200 });
  const full = await reaches("blocked");
  assert.equal(full.last_error?.code, "DEAD_LETTERS_FULL");
  assert.match(full.last_error.advice!, /dlq retry.*dlq discard.*dlq\.max_letters/);
  assert.equal(full.dead_letters, 2);
  // What is blocked still sends dead letters again, and that makes room.
  const [{ id }] = await database.sql`SELECT min(id)::int AS id FROM tide.dead_letter` as unknown as [
    { id: number },
  ];
  await finished(database, await retry(database, `p_id => ${id}, p_payload => '{"n": 1, "x": 1}'`));
  assert.equal((await reaches("idle")).dead_letters, 2);
  const numbers = (await printedBy(relay, "t-1")).map(({ value }) => value.n);
  assert.deepEqual(numbers.toSorted(), [1, 4]);
  const left = await database.sql`SELECT message_id::int AS id FROM tide.dlq_list()`;
  assert.deepEqual(left.map((row) => row["id"]), [2, 3]);
  assert.equal(await relay.stop(), 0);
});

/** Publish messages of ten keys, one after the other. */
async function publishAll(database: TideDatabase, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await database.sql`SELECT tide.outbox_publish(${NAME}, ${
      JSON.stringify({ live: n })
    }::text::jsonb, ${`key ${n % 10}`})`;
  }
}

/** The relay that holds the lease. */
async function holderOf(database: TideDatabase, relays: ReadonlyMap<string, RelayProcess>): Promise<string> {
  const [row] = await database.sql`SELECT holder FROM tide.lease WHERE pipeline = ${NAME}`;
  assert.ok(relays.has(row!["holder"]), `${row!["holder"]} holds the lease`);
  return row!["holder"];
}

/** Kill a relay when letters were acknowledged and are still there: nobody can delete any meanwhile. */
async function killBeforeDeletion(
  database: TideDatabase,
  sent: () => Promise<number>,
  relay: RelayProcess,
): Promise<void> {
  const holder = database.connect();
  await holder`BEGIN`;
  await holder`LOCK TABLE tide.dead_letter IN SHARE MODE`;
  const [row] = await holder`SELECT count(*)::int AS left FROM tide.dead_letter`;
  await waitUntil(async () => await sent() > LETTERS - row!["left"] + PUBLISHED, {
    what: "letters to be sent that are not gone",
    intervalMs: 5,
  });
  await relay.kill();
  // What it had asked the server to do would be done as soon as the lock is gone.
  const ofRelay =
    `application_name LIKE 'pg-tide %' AND wait_event_type = 'Lock' AND datname = current_database()`;
  await waitUntil(async () => {
    const ended = await holder.unsafe(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ofRelay}`,
    );
    return ended.length === 0;
  }, { what: "the relay's connections to end" });
  await holder`ROLLBACK`;
}

Deno.test("P7: kill -9 in the middle of a retry of thousands loses none, and leaves what is published in order", async () => {
  const kafka = await sharedKafka();
  await using topic = await openTopic(kafka, 4);
  await using database = await tideDatabase(await sharedPostgres(18));
  await addPipeline(database, NAME, topic.config);
  await addLetters(database, LETTERS);
  await using one = await startRelay(database.url, ["--relay-name", "one"]);
  await using two = await startRelay(database.url, ["--relay-name", "two"]);
  const relays = new Map([["one", one], ["two", two]]);
  const publishing = publishAll(database, PUBLISHED);
  // Slowly enough that it is killed in the middle.
  const number = await retry(database, `'${NAME}', p_rate => 10000`);
  await waitUntil(async () => {
    const [row] = await database.sql`SELECT delivered::int FROM tide.dlq_retries()`;
    return row!["delivered"] > LETTERS / 10;
  }, { what: "a part of the letters to be delivered", intervalMs: 5 });
  await killBeforeDeletion(database, topic.sent, relays.get(await holderOf(database, relays))!);
  await eachSentOrThere(database, async () => (await topic.read()).map(({ value }) => value!), LETTERS);

  await publishing;
  const done = await finished(database, number, 120_000);
  assert.deepEqual([done["delivered"], done["refused"]], [LETTERS, 0], "each is gone once");
  assert.deepEqual(await letterCodes(database), []);
  const records = await waitUntil(async () => {
    const all = await topic.read();
    return all.filter(({ value }) => value!.startsWith('{"live"')).length >= PUBLISHED && all;
  }, { what: "what was published", timeoutMs: 60_000, intervalMs: 500 });
  const letters = records.filter(({ headers }) => headers["pg_tide_retry"] === "1");
  assert.equal(new Set(letters.map(({ headers }) => headers["pg_tide_id"])).size, LETTERS);
  assert.ok(letters.length > LETTERS, "what was sent and not gone is sent again");
  const live = records.filter(({ headers }) => headers["pg_tide_retry"] === undefined);
  for (const [key, ofKey] of Map.groupBy(live, ({ key }) => key)) {
    const first = [...new Set(ofKey.map(({ value }) => JSON.parse(value!).live))];
    assert.deepEqual(first, first.toSorted((a, b) => a - b), `the order of ${key}`);
    assert.equal(first.length, PUBLISHED / 10);
  }
});
