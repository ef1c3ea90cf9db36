-- The lease row is locked in the same statement: a relay that has lost its lease writes nothing, and a take-over waits
-- for writes under way. No row comes back then.
WITH held AS (
  SELECT FROM tide.lease WHERE pipeline = $1 AND epoch = $2 FOR SHARE
)
INSERT INTO tide.position_log (pipeline, epoch, window_number, phase, last_id)
SELECT $1, $2, $3, $4, $5 FROM held RETURNING n::text
