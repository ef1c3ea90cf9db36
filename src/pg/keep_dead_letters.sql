-- See save_position.sql for the lock. `held` is 0 when the lease is lost: nothing was kept then.
WITH held AS (
  SELECT FROM tide.lease WHERE pipeline = $1 AND epoch = $2 FOR SHARE
), kept AS (
  INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code,
    reason, attempts, created_at, op, dedup_key, payload, headers, previous, topic, record_key)
  SELECT $1, $3, $4, $5, r."messageId", r."recordIndex", r.stage, r.code, r.reason, r.attempts,
    to_timestamp(r."createdMs" / 1000), r.op, r."dedupKey", r.payload, r.headers, r.previous, r.topic, r."recordKey"
  FROM held, jsonb_to_recordset(($6::text)::jsonb) AS r (
    "messageId" bigint, "recordIndex" integer, stage text, code text, reason text, attempts integer,
    "createdMs" double precision, op text, "dedupKey" text, payload text, headers text, previous text, topic text,
    "recordKey" text)
  ON CONFLICT ON CONSTRAINT dead_letter_once DO NOTHING
)
SELECT count(*)::integer AS held FROM held
