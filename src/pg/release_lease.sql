-- Another relay may take it at once.
WITH released AS (
  UPDATE tide.lease SET holder = NULL, expires_at = '-infinity'
  WHERE pipeline = $1 AND holder = $2 AND epoch = $3 RETURNING pipeline
)
SELECT pg_notify('tide_config', '') FROM released
