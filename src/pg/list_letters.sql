-- Dead letters for a person or a program, without their contents.
SELECT json_build_object(
  'id', l.id, 'pipeline', l.pipeline, 'outbox', l.outbox, 'message_id', l.message_id, 'op', l.op, 'stage', l.stage,
  'failure', l.failure, 'code', l.code, 'reason', l.reason, 'attempts', l.attempts, 'retries', l.retries, 'retry', l.retry,
  'topic', l.topic, 'record_key', l.record_key, 'partition', l.partition, 'revision', l.revision,
  'created_at', to_char(l.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'first_failed_at', to_char(l.first_failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'failed_at', to_char(l.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
)::text AS letter
FROM tide.dlq_list($1, $2, $3, $4, $5) l
