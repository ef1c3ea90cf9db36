-- The lease's row is locked in the same statement: a relay that has lost its lease writes nothing, and a take-over waits
-- for writes under way. No row comes back then. Nor is anything written in another life of the server: see tide.life.
WITH held AS (
  SELECT coalesce(tide.life() = $4, false) AS "sameLife" FROM tide.lease
  WHERE pipeline = $1 AND holder = $2 AND epoch = $3 FOR SHARE
), saved AS (
  INSERT INTO tide.position_log (pipeline, epoch, window_number, phase, last_id)
  SELECT $1, $3, $5, $6, $7 FROM held WHERE "sameLife"
)
SELECT "sameLife" FROM held
