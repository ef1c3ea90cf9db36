-- What the holder of the lease says about its pipeline. `since` stays while state and code stay.
INSERT INTO tide.pipeline_state AS s (pipeline, epoch, state, code, reason, advice)
SELECT l.pipeline, l.epoch, $3, $4, $5, $6 FROM tide.lease l WHERE l.pipeline = $1 AND l.epoch = $2
ON CONFLICT (pipeline) DO UPDATE SET epoch = excluded.epoch, state = excluded.state, code = excluded.code,
  reason = excluded.reason, advice = excluded.advice, reported_at = clock_timestamp(),
  since = CASE WHEN (s.state, s.code) IS DISTINCT FROM (excluded.state, excluded.code) THEN clock_timestamp()
    ELSE s.since END
WHERE s.epoch <= excluded.epoch
