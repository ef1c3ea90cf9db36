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

/** By the operation that names the topic: what it refuses, and what is published for it. */
const TOPICS = {
  insert: { "max.message.bytes": "20000" },
  update: { "message.timestamp.before.max.ms": "1" },
  delete: { "cleanup.policy": "compact" },
} as const;

async function publish(
  database: TideDatabase,
  key: string | null,
  payload: string,
  op: string,
): Promise<void> {
  const json = JSON.stringify({ text: payload });
  await database.sql`SELECT tide.outbox_publish(${OUTBOX}, ${json}::text::jsonb, ${key}, ${op})`;
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
  const random = crypto.getRandomValues(new Uint8Array(20_000)).toBase64();
  for (const [key, payload] of [["a", "1"], ["a", random], ["a", "2"]] as const) {
    await publish(database, key, payload, "insert");
  }
  for (const [key, payload] of [["b", "1"], [null, "no key"], ["b", "2"]] as const) {
    await publish(database, key, payload, "delete");
  }
  await publish(database, "c", "too late as soon as it is there", "update");

  await using relay = await startRelay(database.url);
  const letters = await waitUntil(async () => {
    const rows = await database.sql`SELECT * FROM tide.dlq_list() ORDER BY message_id`;
    return rows.length >= 3 && rows;
  }, { what: "three dead letters", timeoutMs: 60_000 });
  assert.deepEqual(
    letters.map(({ pipeline, outbox, op, stage, code, topic, record_key }) => ({
      pipeline,
      outbox,
      op,
      stage,
      code,
      topic,
      record_key,
    })),
    [["insert", "MESSAGE_TOO_LARGE", "a"], ["delete", "INVALID_RECORD", null], [
      "update",
      "INVALID_TIMESTAMP",
      "c",
    ]]
      .map(([op, code, key]) => ({
        pipeline: OUTBOX,
        outbox: OUTBOX,
        op,
        stage: "deliver",
        code,
        topic: `${prefix}.${op}`,
        record_key: key,
      })),
  );
  const [large, keyless, late] = letters.map(({ reason }) => String(reason));
  assert.match(
    large!,
    /^Message too large for topic ".*\.insert": the record has \d+ bytes, .* JMESPath projection/,
  );
  assert.match(
    keyless!,
    /^Kafka refused the record for topic ".*\.delete": INVALID_RECORD, Compacted topic cannot accept/,
  );
  assert.match(
    late!,
    /^Kafka refused the record for topic ".*\.update": INVALID_TIMESTAMP, .* Set timestamp to "now"/,
  );

  for (const [op, key] of [["insert", "a"], ["delete", "b"]] as const) {
    const topic = `${prefix}.${op}`;
    const read = await waitUntil(async () => {
      const records = await readTopic(kafka.brokers, topic);
      return records.length >= 2 && records.map(textOf);
    }, { what: `two records in ${topic}`, timeoutMs: 60_000 });
    assert.deepEqual(
      read.map((record) => [record.key, JSON.parse(record.value!).text]),
      [[key, "1"], [key, "2"]],
    );
  }
  assert.equal(await relay.stop(), 0);
  for (const op of Object.keys(TOPICS)) await kafka.deleteTopic(`${prefix}.${op}`);
});
