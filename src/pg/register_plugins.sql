INSERT INTO tide.plugin AS p (kind, name, contract, summary, fields, rules)
SELECT r.kind, r.name, r.contract, r.summary, r.fields, r.rules
FROM pg_catalog.jsonb_to_recordset(($1::text)::jsonb)
  AS r (kind text, name text, contract integer, summary text, fields jsonb, rules jsonb)
ON CONFLICT (kind, name) DO UPDATE SET contract = excluded.contract, summary = excluded.summary,
  fields = excluded.fields, rules = excluded.rules, registered_at = pg_catalog.clock_timestamp()
WHERE (p.contract, p.summary, p.fields, p.rules) IS DISTINCT FROM
  (excluded.contract, excluded.summary, excluded.fields, excluded.rules)
