SELECT json_build_object(
  'retry', r.retry, 'pipeline', r.pipeline, 'source', r.source, 'letter', r.letter, 'code', r.code,
  'before', to_char(r.before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'rate', r.rate, 'letters', r.letters,
  'delivered', r.delivered, 'filtered', r.filtered, 'refused', r.refused, 'waiting', r.waiting, 'state', r.state,
  'requested_by', r.requested_by,
  'requested_at', to_char(r.requested_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'finished_at', to_char(r.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
)::text AS retry
FROM tide.dlq_retries($1, $2, $3) r
