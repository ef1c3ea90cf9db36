-- The first position of a window, with the window; see save_position.sql. A window that is there already is an error: its marks
-- would be others.
WITH held AS (
  SELECT coalesce(tide.life() = $4, false) AS "sameLife" FROM tide.lease
  WHERE pipeline = $1 AND holder = $2 AND epoch = $3 FOR SHARE
), opened AS (
  INSERT INTO tide.window (pipeline, number, lower_snapshot, lower_top_id, lower_next_xid,
    upper_snapshot, upper_top_id, upper_next_xid)
  SELECT $1, $5, $8, $9, $10, $11, $12, $13 FROM held WHERE "sameLife"
), saved AS (
  INSERT INTO tide.position_log (pipeline, epoch, window_number, phase, last_id)
  SELECT $1, $3, $5, $6, $7 FROM held WHERE "sameLife"
)
SELECT "sameLife" FROM held
