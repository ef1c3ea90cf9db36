SELECT json_build_object(
  'pipeline', s.pipeline, 'code', s.code, 'letters', s.letters,
  'first_failed_at', to_char(s.first_failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'failed_at', to_char(s.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
)::text AS sum
FROM tide.dlq_status($1) s
