-- Every pipeline as a user sees it. A state is its relay's word, and void when nobody holds the lease.
SELECT p.name, o.name AS outbox, p.consumer_group AS "group", p.config ->> 'sink_type' AS sink_type, p.enabled,
  coalesce(l.expires_at > clock_timestamp(), false) AS held, s.state, s.code, s.reason, s.advice,
  to_char(s.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
  coalesce(g.messages, 0)::text AS lag_messages, coalesce(g.seconds, 0) AS lag_seconds,
  -- Counting a million of them would make the question slow.
  (SELECT count(*)::integer FROM (SELECT FROM tide.dead_letter d WHERE d.pipeline = p.name LIMIT 10000) c) AS dead_letters,
  (SELECT coalesce(sum(greatest(0, r.letters - r.delivered - r.filtered - r.refused)), 0)::double precision
    FROM tide.dead_letter_retry r WHERE r.pipeline = p.name AND r.finished_at IS NULL) AS dead_letters_retrying,
  coalesce(x.letters_expired, 0)::double precision AS dead_letters_expired
FROM tide.pipeline p
JOIN tide.outbox o ON o.number = p.outbox_number
LEFT JOIN tide.lease l ON l.pipeline = p.name
LEFT JOIN tide.pipeline_state s ON s.pipeline = p.name AND s.epoch = l.epoch
LEFT JOIN tide.pipeline_state x ON x.pipeline = p.name,
LATERAL tide.pipeline_lag(p.name) g
ORDER BY p.name
