-- See save_position.sql for the lock and the life.
WITH held AS (
  SELECT coalesce(tide.life() = $4, false) AS "sameLife" FROM tide.lease
  WHERE pipeline = $1 AND holder = $2 AND epoch = $3 FOR SHARE
), kept AS (
  INSERT INTO tide.dead_letter (pipeline, outbox, outbox_number, incarnation, message_id, record_index, stage, code,
    reason, attempts, created_at, op, dedup_key, payload, headers, previous, topic, record_key, partition,
    failure, revision)
  SELECT $1, $5, $6, $7, r."messageId", r."recordIndex", r.stage, r.code, r.reason, r.attempts,
    to_timestamp(r."createdMs" / 1000), r.op, r."dedupKey", r.payload, r.headers, r.previous, r.topic, r."recordKey",
    r.partition, r.failure, $9
  FROM held, json_to_recordset(($8::text)::json) AS r (
    "messageId" bigint, "recordIndex" integer, stage text, code text, reason text, attempts integer,
    "createdMs" double precision, op text, "dedupKey" text, payload text, headers text, previous text, topic text,
    "recordKey" text, partition integer, failure text)
  WHERE "sameLife"
  ON CONFLICT ON CONSTRAINT dead_letter_once DO NOTHING
)
SELECT "sameLife" FROM held
