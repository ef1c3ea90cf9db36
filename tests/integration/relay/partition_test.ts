/**
 * A partition's way from the template in a configuration to the sink, and to the dead letters.
 */

import assert from "node:assert/strict";
import { sharedPostgres } from "../../support/postgres.ts";
import { addPipeline, printedBy, startRelay } from "../../support/printing_relays.ts";
import { tideDatabase } from "../../support/tide_database.ts";
import { waitUntil } from "../../support/wait.ts";

const PIPELINES = {
  native: { partition: "{payload.shard}" },
  // The records of a format that knows nothing of partitions have their messages'.
  envelope: { partition: "{payload.shard}", wire_format: "json", wire_config: { envelope: "pg_tide" } },
  none: {},
};

Deno.test("a relay gives each record its partition, and makes dead letters of messages that give none", async () => {
  await using database = await tideDatabase(await sharedPostgres(14));
  const { sql } = database;
  const messages = ["2", "0", '"many"', "1", "null"].map((shard) => ({ payload: `{"shard": ${shard}}` }));
  for (const [name, config] of Object.entries(PIPELINES)) {
    await addPipeline(database, name, config);
    for (const { payload } of messages) {
      await sql`SELECT tide.outbox_publish(${name}, (${payload}::text)::jsonb)`;
    }
  }
  await using relay = await startRelay(database.url);
  const records = await waitUntil(async () => {
    const printed = await Promise.all(Object.keys(PIPELINES).map((name) => printedBy(relay, name)));
    return printed.flat().length === 3 + 3 + 5 && printed;
  }, { what: "every record", timeoutMs: 60_000 });
  const partitions = records.map((some) =>
    some.map((record) => [record.id, Reflect.get(record, "partition")])
  );
  const named = [[1, 2], [2, 0], [4, 1]];
  assert.deepEqual(partitions, [named, named, [1, 2, 3, 4, 5].map((id) => [id, undefined])]);

  const letters = await waitUntil(async () => {
    const rows = await sql`
      SELECT pipeline, message_id::int AS id, stage, code, reason, partition FROM tide.dlq_list() ORDER BY pipeline, 2`;
    return rows.length === 4 && [...rows];
  }, { what: "every dead letter", timeoutMs: 60_000 });
  const expected = (pipeline: string) => [
    {
      pipeline,
      id: 3,
      stage: "route",
      code: "PARTITION_INVALID",
      reason:
        'Cannot use partition "{payload.shard}": the message gives "many", expected a whole number from 0 to 2147483647',
      partition: null,
    },
    {
      pipeline,
      id: 5,
      stage: "route",
      code: "TEMPLATE_VALUE_MISSING",
      reason:
        "Cannot render partition: the message has no value for {payload.shard}, expected one, or a default: " +
        "{payload.shard|…}",
      partition: null,
    },
  ];
  assert.deepEqual(letters, [...expected("envelope"), ...expected("native")]);
});
