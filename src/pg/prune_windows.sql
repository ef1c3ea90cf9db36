-- Windows before the one that the newest position lies in.
DELETE FROM tide.window w
WHERE w.number < (
  SELECT p.window_number FROM tide.position_log p WHERE p.pipeline = w.pipeline ORDER BY p.n DESC LIMIT 1)
