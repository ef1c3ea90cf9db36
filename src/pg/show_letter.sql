-- One dead letter whole. What is JSON text stays as it is, digit for digit.
SELECT json_build_object(
  'id', l.id, 'pipeline', l.pipeline, 'outbox', l.outbox, 'message_id', l.message_id, 'record_index', l.record_index,
  'pg_tide_id', l.incarnation || '-' || l.message_id, 'op', l.op, 'dedup_key', l.dedup_key,
  'stage', l.stage, 'failure', l.failure, 'code', l.code, 'reason', l.reason, 'attempts', l.attempts, 'retries', l.retries,
  'topic', l.topic, 'record_key', l.record_key, 'partition', l.partition, 'revision', l.revision,
  'created_at', to_char(l.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'first_failed_at', to_char(l.first_failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'failed_at', to_char(l.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'retried_at', to_char(l.retried_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'headers', l.headers::json, 'payload', l.payload::json, 'edited_payload', l.edited_payload::json, 'previous', l.previous::json
)::text AS letter, l.headers, l.payload, l.edited_payload, l.previous
FROM tide.dlq_show($1) l
