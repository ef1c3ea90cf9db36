-- The newest saved position, and whether the lease is held that a session would save the next one under.
SELECT o.incarnation, EXISTS (
    SELECT FROM tide.lease l WHERE l.pipeline = $1 AND l.holder = $3 AND l.epoch = $4
  ) AS held,
  p.window_number::text AS "windowNumber", p.phase, p.last_id::text AS "lastId",
  p.lower_snapshot::text AS "lowerSnapshot", p.lower_top_id::text AS "lowerTopId",
  p.lower_next_xid::text AS "lowerNextXid", p.upper_snapshot::text AS "upperSnapshot",
  p.upper_top_id::text AS "upperTopId", p.upper_next_xid::text AS "upperNextXid"
FROM tide.outbox o, tide.saved_position($1) p WHERE o.number = $2
