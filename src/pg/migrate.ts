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
import { installError } from "./install_error.ts";
import { catalogScript, type DescribedPlugin } from "./plugin_catalog.ts";
import { SCHEMA } from "./schema_version.ts";
import { readStatement } from "./statement.ts";

/** In their order; the first has number 1. Never change one that was released: append. */
const MIGRATIONS: readonly string[] = [
  "000001_tables",
  "000002_publish",
  "000003_read",
  "000004_outbox",
  "000005_lag",
  "000006_rotate",
  "000007_config",
  "000008_pipeline",
  "000009_dead_letter",
  "000010_numbering",
  "000011_rights",
  "000012_dead_letter_partition",
  "000013_dead_letter_retry",
  "000014_dead_letter_calls",
  "000015_dead_letter_rights",
];

/** The version of the schema before and after an installation. */
export interface Installed {
  /** 0 when there was none. */
  readonly from: number;
  readonly to: number;
}

/**
 * Install the schema, or bring it to this version. Safe to repeat, and to run while relays and publishers work.
 *
 * @param plugins what `relay_set_outbox` shall know; a relay registers its plugins again when it starts
 * @throws {UserError} when the server, the database or the role's rights do not allow it; nothing is changed then
 */
export async function install(db: Database, plugins: readonly DescribedPlugin[] = []): Promise<Installed> {
  try {
    const from = await db.schemaVersion();
    await db.execute(printInstall(plugins));
    return { from, to: SCHEMA.newest };
  } catch (error) {
    throw installError(error);
  }
}

/** What {@link install} executes, for `psql` or any other client. */
export function printInstall(plugins: readonly DescribedPlugin[] = []): string {
  return [
    "-- Installs or updates the schema of pg-tide. Safe to repeat.",
    "BEGIN ISOLATION LEVEL READ COMMITTED;",
    "SET LOCAL search_path = pg_catalog, pg_temp;",
    readStatement("install_preamble"),
    REFUSE_NEWER,
    ...MIGRATIONS.map((name, i) => step(i + 1, readStatement(`migrations/${name}`))),
    catalogScript(plugins),
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tide FROM PUBLIC;",
    "COMMIT;",
    "",
  ].join("\n\n");
}

/** What a newer version has installed stays as it is: this one would take its plugins' fields back. */
const REFUSE_NEWER = `DO $newer$
DECLARE
  v_version integer := (SELECT max(version) FROM tide.schema_version);
BEGIN
  IF v_version > ${SCHEMA.newest} THEN
    RAISE EXCEPTION USING ERRCODE = 'TD073',
      MESSAGE = pg_catalog.format('Cannot install pg-tide: the schema tide has version %s, expected at most ${SCHEMA.newest}',
        v_version),
      HINT = 'Use a newer pg-tide: the schema was installed by one.';
  END IF;
END
$newer$;`;

/** A migration that applies itself once. The text is executed only when its number is missing, so it is parsed only then. */
function step(version: number, text: string): string {
  const quote = `$migration_${version}$`;
  return `DO $step$
BEGIN
  IF NOT EXISTS (SELECT FROM tide.schema_version WHERE version = ${version}) THEN
    INSERT INTO tide.schema_version (version) VALUES (${version});
    EXECUTE ${quote}
${text}
${quote};
  END IF;
END
$step$;`;
}

if (MIGRATIONS.length !== SCHEMA.newest) {
  throw new RangeError("The newest schema version is the last migration");
}
