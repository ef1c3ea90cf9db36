-- See save_position.sql for the lock and the life. A letter that was edited since it was read stays as it is: what it holds now was
-- not sent.
WITH held AS (
  SELECT coalesce(tide.life() = $4, false) AS "sameLife" FROM tide.lease
  WHERE pipeline = $1 AND holder = $2 AND epoch = $3 FOR SHARE
), done AS (
  DELETE FROM tide.dead_letter d
  USING held h, unnest(($8::text)::bigint[], ($9::text)::integer[]) AS s (id, edits)
  WHERE h."sameLife" AND d.id = s.id AND d.edits = s.edits
), again AS (
  UPDATE tide.dead_letter d SET stage = r.stage, failure = r.failure, code = r.code, reason = r.reason, revision = $6,
    attempts = d.attempts + 1, retries = d.retries + 1, retried_at = (r."readAt")::timestamptz, failed_at = clock_timestamp(),
    topic = r.topic, record_key = r."recordKey", partition = r.partition
  FROM held h, json_to_recordset(($10::text)::json) AS r (id bigint, edits integer, "readAt" text, stage text, failure text,
    code text, reason text, topic text, "recordKey" text, partition integer)
  WHERE h."sameLife" AND d.id = r.id AND d.edits = r.edits
), counted AS (
  UPDATE tide.dead_letter_retry t SET delivered = t.delivered + $7, filtered = t.filtered + $11, refused = t.refused + $12
  FROM held h WHERE h."sameLife" AND t.id = $5
)
SELECT "sameLife" FROM held
