-- How far pipelines are behind, at a bounded cost.

-- `tide.lag_<number>` counts the messages that are committed and not behind a position, exactly up to p_cap. Beyond that it
-- answers p_cap and `exact` is false. `oldest` is when the first of them was published.
CREATE FUNCTION tide.create_lag_function(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
  EXECUTE replace($template$
CREATE OR REPLACE FUNCTION tide.lag_<n>(
  p_lower pg_snapshot, p_lower_top bigint, p_lower_next xid8, p_upper pg_snapshot, p_upper_next xid8,
  p_phase text, p_last_id bigint, p_cap integer, OUT messages bigint, OUT exact boolean, OUT oldest timestamptz
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET max_parallel_workers_per_gather = 0
SET plan_cache_mode = force_generic_plan AS $body$
DECLARE
  v_run_after bigint := CASE p_phase WHEN 'run' THEN p_last_id ELSE greatest(p_lower_top, p_last_id) END;
  v_first bigint;
BEGIN
  SELECT count(*), min(u.id) INTO messages, v_first FROM (
    SELECT s.id FROM (
      -- Stragglers of the window that were not reached.
      SELECT m.id FROM tide.message_<n> m WHERE p_phase = 'stragglers'
        AND m.xid = ANY (ARRAY(SELECT pg_snapshot_xip(p_lower))) AND m.id + 0 > p_last_id AND m.id + 0 <= p_lower_top
      UNION ALL
      SELECT m.id FROM tide.message_<n> m WHERE p_phase = 'stragglers'
        AND m.xid >= pg_snapshot_xmax(p_lower) AND m.xid < p_lower_next AND m.id + 0 > p_last_id AND m.id + 0 <= p_lower_top
      UNION ALL
      -- Messages that committed after the upper mark with an id that was passed already: the next window's stragglers.
      SELECT m.id FROM tide.message_<n> m
      WHERE m.xid = ANY (ARRAY(SELECT pg_snapshot_xip(p_upper))) AND m.id + 0 <= p_last_id
      UNION ALL
      SELECT m.id FROM tide.message_<n> m
      WHERE m.xid >= pg_snapshot_xmax(p_upper) AND m.xid < p_upper_next AND m.id + 0 <= p_last_id
      UNION ALL
      -- What the window's run still has, and everything published since.
      (SELECT m.id FROM tide.message_<n> m WHERE m.id > v_run_after AND NOT pg_visible_in_snapshot(m.xid, p_lower)
        ORDER BY m.id LIMIT p_cap + 1)
    ) s LIMIT p_cap + 1
  ) u;
  exact := messages <= p_cap;
  messages := least(messages, p_cap);
  SELECT m.created_at INTO oldest FROM tide.message_<n> m WHERE m.id = v_first;
END
$body$;
REVOKE ALL ON FUNCTION tide.lag_<n> FROM PUBLIC;$template$, '<n>', p_number::text);
END
$create$;

-- A pipeline's newest saved position, with its window. `window_number` is NULL when nothing was saved yet; the marks
-- are then those before all messages.
CREATE FUNCTION tide.saved_position(
  p_pipeline text, OUT window_number bigint, OUT phase text, OUT last_id bigint,
  OUT lower_snapshot pg_snapshot, OUT lower_top_id bigint, OUT lower_next_xid xid8,
  OUT upper_snapshot pg_snapshot, OUT upper_top_id bigint, OUT upper_next_xid xid8
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  SELECT l.window_number, l.phase, l.last_id, w.lower_snapshot, w.lower_top_id, w.lower_next_xid,
    w.upper_snapshot, w.upper_top_id, w.upper_next_xid
  INTO window_number, phase, last_id, lower_snapshot, lower_top_id, lower_next_xid, upper_snapshot, upper_top_id, upper_next_xid
  FROM tide.position_log l JOIN tide.window w ON w.pipeline = l.pipeline AND w.number = l.window_number
  WHERE l.pipeline = p_pipeline ORDER BY l.n DESC LIMIT 1;
  IF window_number IS NULL THEN
    phase := 'run';
    last_id := 0;
    lower_snapshot := '3:3:';
    lower_top_id := 0;
    lower_next_xid := '3';
    upper_snapshot := lower_snapshot;
    upper_top_id := 0;
    upper_next_xid := lower_next_xid;
  END IF;
END
$body$;

-- How far one pipeline is behind: exact up to 10,000 messages, above that estimated by ids. NULL before the first position of a pipeline
-- that does not start at the earliest message.
CREATE FUNCTION tide.pipeline_lag(
  p_pipeline text, OUT messages bigint, OUT exact boolean, OUT seconds double precision
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_pipeline tide.pipeline;
  v_position record;
  v_oldest timestamptz;
BEGIN
  SELECT * INTO v_pipeline FROM tide.pipeline p WHERE p.name = p_pipeline;
  v_position := tide.saved_position(p_pipeline);
  IF v_pipeline.name IS NULL
      OR v_position.window_number IS NULL AND coalesce(v_pipeline.config ->> 'start', 'earliest') <> 'earliest' THEN
    RETURN;
  END IF;
  EXECUTE format('SELECT * FROM tide.lag_%s($1, $2, $3, $4, $5, $6, $7, 10000)', v_pipeline.outbox_number)
  INTO messages, exact, v_oldest
  USING v_position.lower_snapshot, v_position.lower_top_id, v_position.lower_next_xid,
    v_position.upper_snapshot, v_position.upper_next_xid, v_position.phase, v_position.last_id;
  seconds := coalesce(greatest(0, date_part('epoch', clock_timestamp() - v_oldest)), 0);
  IF NOT exact THEN
    messages := greatest(messages,
      pg_sequence_last_value(format('tide.id_%s', v_pipeline.outbox_number)::regclass) - v_position.last_id);
  END IF;
END
$body$;

-- The consumer groups of an outbox, or of all that the caller has a right on. `lag_exact` is false when `lag_messages` is estimated.
CREATE FUNCTION tide.consumer_group_status(p_outbox text DEFAULT NULL) RETURNS TABLE (
  outbox text, consumer_group text, pipeline text, enabled boolean, lag_messages bigint, lag_exact boolean,
  lag_seconds double precision
) LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF p_outbox IS NOT NULL AND NOT EXISTS (SELECT FROM tide.outbox o WHERE o.name = p_outbox) THEN
    PERFORM tide.refuse_outbox('show consumer groups', p_outbox);
  END IF;
  RETURN QUERY SELECT o.name, p.consumer_group, p.name, p.enabled, l.messages, l.exact, l.seconds
  FROM tide.pipeline p JOIN tide.outbox o ON o.number = p.outbox_number, LATERAL tide.pipeline_lag(p.name) l
  WHERE p_outbox IS NULL OR o.name = p_outbox ORDER BY 1, 2;
END
$body$;
