/**
 * The page's keys that the relay itself reads: pipelines from PostgreSQL to the broker.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readTopic, textOf, type TextRecord } from "../../../support/consume.ts";
import { sharedPostgres } from "../../../support/postgres.ts";
import { addPipeline, startRelay } from "../../../support/printing_relays.ts";
import { tideDatabase } from "../../../support/tide_database.ts";
import { waitUntil } from "../../../support/wait.ts";
import type { Fields, KeyProof, Stand } from "./stand.ts";

/** See the module. */
export const RELAY_KEYS: Readonly<Record<string, KeyProof>> = {
  async sink_type(stand) {
    const { plain: [record] } = await relayed(stand);
    assert.equal(record!.value, '{"n": 1, "customer": "東京"}');
  },

  async topic(stand) {
    const { inserted, updated } = await relayed(stand);
    assert.deepEqual(inserted.map(({ headers }) => headers["pg_tide_op"]), ["insert"]);
    assert.deepEqual(updated.map(({ headers }) => headers["pg_tide_op"]), ["update"]);
  },

  async message_key(stand) {
    const { plain, inserted, updated } = await relayed(stand);
    const keys = [plain, inserted, updated].map(([record]) => record!.key);
    assert.deepEqual(keys, ["d1", "東京/d1", "oslo/d2"]);
  },

  async headers(stand) {
    const { plain, inserted } = await relayed(stand);
    const [own, added] = [plain, inserted].map(([record]) => Object.keys(record!.headers));
    assert.deepEqual(own, ["pg_tide_outbox", "pg_tide_op", "pg_tide_id"]);
    assert.equal(inserted[0]!.headers["source"], "orders-service");
    assert.ok(added!.includes("pg_tide_outbox"), "besides the relay's own");
  },
};

/** What the topics hold that two outboxes were relayed to: one by the least configuration, one by templates. */
interface Relayed {
  readonly plain: readonly TextRecord[];
  readonly inserted: readonly TextRecord[];
  readonly updated: readonly TextRecord[];
}

let relayedOnce: Promise<Relayed> | undefined;

/** Publish and relay, once for all proofs. */
function relayed(stand: Stand): Promise<Relayed> {
  relayedOnce ??= relay(stand);
  return relayedOnce;
}

async function relay({ kafka }: Stand): Promise<Relayed> {
  const prefix = `key-${crypto.randomUUID()}`;
  const topics = ["plain", "templated.insert", "templated.update"].map((name) => `${prefix}.${name}`);
  for (const topic of topics) await kafka.createTopic(topic, 1);
  await using database = await tideDatabase(await sharedPostgres(18));
  const least: Fields = { sink_type: "kafka", brokers: kafka.brokers, topic: topics[0]! };
  await addPipeline(database, "plain", least);
  await addPipeline(database, "templated", {
    ...least,
    topic: `${prefix}.{stream_table}.{op}`,
    message_key: "{payload.customer}/{dedup_key}",
    headers: { source: "orders-service" },
  });
  for (const outbox of ["plain", "templated"]) {
    await database.sql`SELECT tide.outbox_publish(${outbox}, '{"n": 1, "customer": "東京"}'::jsonb, 'd1')`;
  }
  await database
    .sql`SELECT tide.outbox_publish('templated', '{"customer": "oslo"}'::jsonb, 'd2', 'update')`;
  await using _relay = await startRelay(database.url);
  const [plain, inserted, updated] = await Promise.all(topics.map(async (topic) => {
    const arrived = async () => (await kafka.offsets(topic))[0]!.high > 0n;
    await waitUntil(arrived, { what: `a record in ${topic}`, timeoutMs: 60_000 });
    return (await readTopic(kafka.brokers, topic)).map(textOf);
  }));
  return { plain: plain!, inserted: inserted!, updated: updated! };
}
