-- The oldest request to send dead letters again that a pipeline has not finished. Its outbox is asked for, too: a pipeline that was
-- deleted and made again may have another one.
SELECT id::text, rate FROM tide.dead_letter_retry
WHERE pipeline = $1 AND outbox_number = $2 AND finished_at IS NULL ORDER BY id LIMIT 1
