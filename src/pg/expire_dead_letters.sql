-- Dead letters that are older than their pipeline keeps them, some of them at a time, and counted where `status` finds it. Those of a
-- pipeline that is sending some again wait until that is done.
WITH keeper AS (
  SELECT p.name, p.outbox_number, (p.config #>> '{dlq,retention_days}')::integer AS days FROM tide.pipeline p
  WHERE p.config #>> '{dlq,retention_days}' IS NOT NULL
    AND EXISTS (SELECT FROM tide.pipeline_state s WHERE s.pipeline = p.name)
    AND NOT EXISTS (SELECT FROM tide.dead_letter_retry r WHERE r.source = p.name AND r.finished_at IS NULL)
), expired AS (
  DELETE FROM tide.dead_letter d USING keeper k, LATERAL (
    SELECT o.id FROM tide.dead_letter o
    WHERE o.pipeline = k.name AND o.outbox_number = k.outbox_number
      AND o.failed_at < clock_timestamp() - make_interval(days => k.days)
    ORDER BY o.failed_at LIMIT 20000
  ) old
  WHERE d.id = old.id RETURNING k.name, k.days
), counted AS (
  SELECT e.name, e.days, count(*) AS count FROM expired e GROUP BY e.name, e.days
), told AS (
  UPDATE tide.pipeline_state s SET letters_expired = s.letters_expired + c.count FROM counted c WHERE s.pipeline = c.name
)
SELECT c.name AS pipeline, c.count::integer, c.days FROM counted c ORDER BY c.name
