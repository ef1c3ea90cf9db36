-- Only the newest position of a pipeline is ever read.
DELETE FROM tide.position_log p
USING (SELECT pipeline, max(n) AS n FROM tide.position_log GROUP BY pipeline) newest
WHERE p.pipeline = newest.pipeline AND p.n < newest.n
