-- The first position of a window, with the window; see save_position.sql. A window that is there already is an error: its marks
-- would be others.
WITH held AS (
  SELECT FROM tide.lease WHERE pipeline = $1 AND epoch = $2 FOR SHARE
), opened AS (
  INSERT INTO tide.window (pipeline, number, lower_snapshot, lower_top_id, lower_next_xid,
    upper_snapshot, upper_top_id, upper_next_xid)
  SELECT $1, $3, $6, $7, $8, $9, $10, $11 FROM held
)
INSERT INTO tide.position_log (pipeline, epoch, window_number, phase, last_id)
SELECT $1, $2, $3, $4, $5 FROM held RETURNING n::text
