/**
 * What an older schema holds is there, and usable, when it was brought to this one.
 */

import { strict as assert } from "node:assert";
import postgres from "postgres";
import { printInstall } from "../../../src/pg/migrate.ts";
import { INSTALLED_PLUGINS, tideTest } from "../../support/tide_database.ts";

const SCRIPT = printInstall(INSTALLED_PLUGINS);

/** The part of the installation up to a version, as that version would have installed. */
function scriptOf(version: number): string {
  const [preamble, ...steps] = SCRIPT.split("DO $step$");
  const kept = [preamble!, ...steps.slice(0, version)].join("DO $step$");
  return `${kept}\nREVOKE ALL ON ALL FUNCTIONS IN SCHEMA tide FROM PUBLIC;\nCOMMIT;`;
}

tideTest(
  "dead letters and the roles that handle them are the same after an upgrade from version 12",
  async (database, server) => {
    await using older = await server.createDatabase();
    const owner = postgres(older.url, { max: 1, onnotice: () => {} });
    const role = await database.createRole();
    const relay = await database.createRole();
    const ofRole = (url: string) => {
      const target = new URL(url);
      target.pathname = new URL(older.url).pathname;
      return postgres(target.href, { max: 1, onnotice: () => {} });
    };
    const [operator, relayer] = [ofRole(role.url), ofRole(relay.url)];
    try {
      await owner.unsafe(scriptOf(12)).simple();
      await owner`SELECT tide.outbox_create('orders')`;
      await owner`SELECT tide.relay_set_outbox('p', 'orders', 'g', '{"sink_type": "stdout"}')`;
      await owner`SELECT tide.grant_pipeline('orders', ${role.name}), tide.grant_relay(${relay.name})`;
      await owner`
      INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code, reason,
        attempts, created_at, failed_at, op, payload)
      VALUES ('p', 'orders', 1, 'i', 1, 0, 'route', 'CODE', 'why', 1, now(), '2026-02-01T00:00:00Z', 'insert', '{}')`;
      await owner.unsafe(SCRIPT).simple();
      const letters =
        await operator`SELECT id::int, failed_at = first_failed_at AS same, failure, retries FROM tide.dlq_list()`;
      assert.deepEqual([...letters], [{ id: 1, same: true, failure: "rejected", retries: 0 }]);
      for (const sql of [operator, relayer]) {
        const [asked] = await sql`SELECT letters::int FROM tide.dlq_retry('p')`;
        assert.equal(asked!["letters"], 1);
      }
      const [page] = await relayer`SELECT n FROM tide.read_letters(1, 0, 10, 1000)`;
      assert.equal(page!["n"], 1);
      await assert.rejects(operator`SELECT tide.read_letters(1, 0, 10, 1000)`, { code: "42501" });
    } finally {
      await owner.unsafe(`DROP OWNED BY ${role.name}, ${relay.name}`);
      await Promise.all([owner, operator, relayer].map((sql) => sql.end()));
    }
  },
);
