-- What the server and its schema are like, in one round trip. Catalog functions that PostgreSQL 13 has, too.
SELECT
  current_setting('server_version_num')::integer AS "version",
  current_setting('server_version') AS "versionText",
  pg_is_in_recovery() AS "standby",
  current_setting('default_transaction_isolation') AS "isolation",
  current_setting('synchronous_commit') AS "commit",
  EXISTS (SELECT FROM pg_namespace WHERE nspname = 'tide') AS "schemaExists",
  coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'tide'), false) AS "schemaUsable",
  EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'tide' AND c.relname = 'schema_version'
  ) AS "schemaInstalled"
