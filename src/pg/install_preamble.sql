DO $preamble$
BEGIN
  IF pg_catalog.current_setting('server_version_num')::integer < 140000 THEN
    RAISE EXCEPTION USING ERRCODE = 'TD070',
      MESSAGE = pg_catalog.format('Cannot install pg-tide: this is PostgreSQL %s, expected 14 or newer',
        pg_catalog.current_setting('server_version')),
      HINT = 'Upgrade the server.';
  ELSIF pg_catalog.pg_is_in_recovery() THEN
    RAISE EXCEPTION USING ERRCODE = 'TD031',
      MESSAGE = 'Cannot install pg-tide: this server is a standby, expected the primary',
      HINT = 'Connect to the primary.';
  ELSIF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION USING ERRCODE = 'TD071',
      MESSAGE = pg_catalog.format('Cannot install pg-tide: the database is encoded in %s, expected UTF8',
        pg_catalog.current_setting('server_encoding')),
      HINT = 'Create the database with ENCODING ''UTF8''.';
  END IF;
  PERFORM pg_catalog.pg_advisory_xact_lock(1414087749, 0);
END
$preamble$;

DO $schema$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'tide') THEN
    CREATE SCHEMA tide;
  ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('tide.schema_version')
      AND attname = 'applied_at')
    AND (EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = 'tide'::pg_catalog.regnamespace)
      OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'tide'::pg_catalog.regnamespace)) THEN
    RAISE EXCEPTION USING ERRCODE = 'TD072',
      MESSAGE = 'Cannot install pg-tide: the database has a schema tide that is not pg-tide''s',
      HINT = 'Rename or drop that schema, or use another database.';
  END IF;
  IF pg_catalog.to_regclass('tide.schema_version') IS NULL THEN
    CREATE TABLE tide.schema_version (
      version integer PRIMARY KEY,
      applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
    );
  END IF;
END
$schema$;
