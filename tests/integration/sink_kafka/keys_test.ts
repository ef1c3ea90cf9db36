/**
 * Each key of the configuration, by what it does at the broker: one step per row of the page's "Configuration Reference" and per
 * further key.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { MANIFEST } from "../../../plugins/sink_kafka/manifest.ts";
import { ROOT } from "../../support/repository.ts";
import { CLUSTER_KEYS } from "./keys/cluster_keys.ts";
import { CONNECTION_KEYS } from "./keys/connection_keys.ts";
import { SHOWN_ELSEWHERE } from "./keys/elsewhere.ts";
import { RECORD_KEYS } from "./keys/record_keys.ts";
import { RELAY_KEYS } from "./keys/relay_keys.ts";
import { REQUEST_KEYS } from "./keys/request_keys.ts";
import { Stand } from "./keys/stand.ts";

const PROOFS = { ...RECORD_KEYS, ...REQUEST_KEYS, ...CONNECTION_KEYS, ...CLUSTER_KEYS, ...RELAY_KEYS };

/** The relay's own keys that decide what the broker gets. */
const RELAY_ROWS = ["sink_type", "topic", "message_key", "partition", "headers"];

Deno.test("each key of the Kafka sink does at the broker what it says", async (t) => {
  await using stand = await Stand.start();
  for (const [key, prove] of Object.entries(PROOFS)) await t.step(key, () => prove(stand));
});

Deno.test("no key of the Kafka sink is without a test that shows what it does", async () => {
  const keys = [...RELAY_ROWS, ...MANIFEST.fields.map(({ name }) => name)];
  const shown = [...Object.keys(PROOFS), ...Object.values(SHOWN_ELSEWHERE).flat()];
  assert.deepEqual(keys.filter((key) => !shown.includes(key)), [], "not shown");
  assert.deepEqual(shown.filter((key) => !keys.includes(key)), [], "no keys");
  assert.deepEqual(shown.filter((key, i) => shown.indexOf(key) !== i), [], "shown twice");
  for (const [file, elsewhere] of Object.entries(SHOWN_ELSEWHERE)) {
    const text = await Deno.readTextFile(join(ROOT, file));
    const unnamed = elsewhere.filter((key) => !new RegExp(`\\b${key}\\b`).test(text));
    assert.deepEqual(unnamed, [], `${file} does not name them`);
  }
});
