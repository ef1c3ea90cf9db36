-- Alone in its transaction: see tide.mark.
SELECT snapshot, top_id::text AS "topId", next_xid AS "nextXid", tide.life() AS life FROM tide.mark($1)
