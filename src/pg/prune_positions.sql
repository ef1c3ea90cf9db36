-- Only the newest position of a pipeline is ever read.
DELETE FROM tide.position_log p
WHERE p.n < (SELECT max(q.n) FROM tide.position_log q WHERE q.pipeline = p.pipeline)
