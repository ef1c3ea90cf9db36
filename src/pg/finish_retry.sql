-- See save_position.sql for the lock and the life.
WITH held AS (
  SELECT coalesce(tide.life() = $4, false) AS "sameLife" FROM tide.lease
  WHERE pipeline = $1 AND holder = $2 AND epoch = $3 FOR SHARE
), finished AS (
  UPDATE tide.dead_letter_retry t SET finished_at = clock_timestamp() FROM held h
  WHERE h."sameLife" AND t.id = $5 AND t.finished_at IS NULL
  RETURNING t.letters::text, t.delivered::text, t.filtered::text, t.refused::text
)
SELECT h."sameLife", f.letters, f.delivered, f.filtered, f.refused FROM held h LEFT JOIN finished f ON true
