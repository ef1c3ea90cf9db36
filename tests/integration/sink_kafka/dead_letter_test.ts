/**
 * Records that the broker refuses, through a whole relay: what their dead letters show, and that everything else is delivered.
 */

import assert from "node:assert/strict";
import { readTopic, textOf } from "../../support/consume.ts";
import { sharedKafka } from "../../support/kafka.ts";
import { sharedPostgres } from "../../support/postgres.ts";
import { addPipeline, startRelay } from "../../support/printing_relays.ts";
import { type TideDatabase, tideDatabase } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";

const OUTBOX = "refused";

/** By the operation that names the topic: what it refuses. */
const TOPICS = {
  insert: { "max.message.bytes": "20000" },
  update: { "message.timestamp.before.max.ms": "1" },
  delete: { "cleanup.policy": "compact" },
} as const;

interface Publication {
  readonly key: string | null;
  readonly text: string;
  readonly op: keyof typeof TOPICS;
}

/** Each topic's bad one stands between two good ones, but for the one that is late whatever it is. */
const PUBLICATIONS: readonly Publication[] = [
  { key: "a", text: "1", op: "insert" },
  { key: "a", text: crypto.getRandomValues(new Uint8Array(20_000)).toBase64(), op: "insert" },
  { key: "a", text: "2", op: "insert" },
  { key: "b", text: "1", op: "delete" },
  { key: null, text: "no key", op: "delete" },
  { key: "b", text: "2", op: "delete" },
  { key: "c", text: "too late as soon as it is there", op: "update" },
];

/** What is expected of the dead letters, in the order of their messages. */
const LETTERS = [
  {
    op: "insert",
    code: "MESSAGE_TOO_LARGE",
    key: "a",
    reason: /^Message too large for topic ".*\.insert": the record has \d+ bytes, .* JMESPath projection/,
  },
  {
    op: "delete",
    code: "INVALID_RECORD",
    key: null,
    reason: /^Kafka refused the record for topic ".*\.delete": INVALID_RECORD, Compacted topic cannot accept/,
  },
  {
    op: "update",
    code: "INVALID_TIMESTAMP",
    key: "c",
    reason: /^Kafka refused the record for topic ".*\.update": INVALID_TIMESTAMP, .* Set timestamp to "now"/,
  },
] as const;

const WITHIN_MS = 60_000;

async function checkLetters(database: TideDatabase, prefix: string): Promise<void> {
  const letters = await waitUntil(async () => {
    const rows = await database.sql`SELECT * FROM tide.dlq_list() ORDER BY message_id`;
    return rows.length >= LETTERS.length && rows;
  }, { what: "the dead letters", timeoutMs: WITHIN_MS });
  assert.equal(letters.length, LETTERS.length);
  LETTERS.forEach(({ op, code, key, reason }, i) => {
    const { pipeline, outbox, stage, topic, record_key, ...letter } = letters[i]!;
    assert.deepEqual(
      [pipeline, outbox, letter["op"], stage, letter["code"], topic, record_key],
      [OUTBOX, OUTBOX, op, "deliver", code, `${prefix}.${op}`, key],
    );
    assert.match(letter["reason"], reason);
  });
}

async function checkNeighbours(brokers: string, topic: string, key: string): Promise<void> {
  const read = await waitUntil(async () => {
    const records = await readTopic(brokers, topic);
    return records.length >= 2 && records.map(textOf);
  }, { what: `two records in ${topic}`, timeoutMs: WITHIN_MS });
  assert.deepEqual(
    read.map((record) => [record.key, JSON.parse(record.value!).text]),
    [[key, "1"], [key, "2"]],
  );
}

Deno.test("a dead letter of a record that Kafka refuses shows topic, key, code and the broker's reason", async () => {
  const kafka = await sharedKafka();
  const prefix = `test-${crypto.randomUUID()}`;
  for (const [op, config] of Object.entries(TOPICS)) await kafka.createTopic(`${prefix}.${op}`, 1, config);
  await using database = await tideDatabase(await sharedPostgres(18));
  await addPipeline(database, OUTBOX, {
    sink_type: "kafka",
    brokers: kafka.brokers,
    topic: `${prefix}.{op}`,
    idempotent: true,
  });
  for (const { key, text, op } of PUBLICATIONS) {
    const json = JSON.stringify({ text });
    await database.sql`SELECT tide.outbox_publish(${OUTBOX}, ${json}::text::jsonb, ${key}, ${op})`;
  }
  await using relay = await startRelay(database.url);
  await checkLetters(database, prefix);
  await checkNeighbours(kafka.brokers, `${prefix}.insert`, "a");
  await checkNeighbours(kafka.brokers, `${prefix}.delete`, "b");
  assert.equal(await relay.stop(), 0);
  for (const op of Object.keys(TOPICS)) await kafka.deleteTopic(`${prefix}.${op}`);
});
