/**
 * The schema `tide`: its numbered, append-only migrations, as one idempotent script.
 *
 * `pg-tide install` executes exactly what `pg-tide install --print` shows. Two installations at once wait for each other on an
 * advisory lock; the second finds nothing left to do. Everything happens in one transaction, in which EXECUTE on every
 * function is taken from PUBLIC as well.
 *
 * @module
 */

import type { Database } from "./database.ts";
import tables from "./migrations/000001_tables.sql" with { type: "text" };
import publish from "./migrations/000002_publish.sql" with { type: "text" };
import read from "./migrations/000003_read.sql" with { type: "text" };
import outbox from "./migrations/000004_outbox.sql" with { type: "text" };
import lag from "./migrations/000005_lag.sql" with { type: "text" };
import rotate from "./migrations/000006_rotate.sql" with { type: "text" };
import config from "./migrations/000007_config.sql" with { type: "text" };
import pipeline from "./migrations/000008_pipeline.sql" with { type: "text" };
import deadLetter from "./migrations/000009_dead_letter.sql" with { type: "text" };
import numbering from "./migrations/000010_numbering.sql" with { type: "text" };
import rights from "./migrations/000011_rights.sql" with { type: "text" };
import { catalogScript, type DescribedPlugin } from "./plugin_catalog.ts";
import { SCHEMA } from "./schema_version.ts";
import preamble from "./install_preamble.sql" with { type: "text" };

/** In their order; the first has number 1. Never change one that was released: append. */
const MIGRATIONS: readonly string[] = [
  tables,
  publish,
  read,
  outbox,
  lag,
  rotate,
  config,
  pipeline,
  deadLetter,
  numbering,
  rights,
];

/**
 * Install the schema, or bring it to this version. Safe to repeat, and to run while relays and publishers work.
 *
 * @param plugins what `relay_set_outbox` shall know; a relay registers its plugins again when it starts
 */
export async function install(db: Database, plugins: readonly DescribedPlugin[] = []): Promise<void> {
  await db.execute(printInstall(plugins));
}

/** What {@link install} executes, for `psql` or any other client. */
export function printInstall(plugins: readonly DescribedPlugin[] = []): string {
  return [
    "-- Installs or updates the schema of pg-tide. Safe to repeat.",
    "BEGIN ISOLATION LEVEL READ COMMITTED;",
    "SET LOCAL search_path = pg_catalog, pg_temp;",
    preamble.trim(),
    ...MIGRATIONS.map((text, i) => step(i + 1, text)),
    catalogScript(plugins),
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tide FROM PUBLIC;",
    "COMMIT;",
    "",
  ].join("\n\n");
}

/** A migration that applies itself once. The text is executed only when its number is missing, so it is parsed only then. */
function step(version: number, text: string): string {
  const quote = `$migration_${version}$`;
  return `DO $step$
BEGIN
  IF NOT EXISTS (SELECT FROM tide.schema_version WHERE version = ${version}) THEN
    INSERT INTO tide.schema_version (version) VALUES (${version});
    EXECUTE ${quote}
${text.trim()}
${quote};
  END IF;
END
$step$;`;
}

if (MIGRATIONS.length !== SCHEMA.newest) {
  throw new RangeError("The newest schema version is the last migration");
}
