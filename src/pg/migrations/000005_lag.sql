-- How far pipelines are behind, at a bounded cost.

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

-- `tide.lag_<number>(pipeline)` counts the messages of the outbox that are committed and not behind the pipeline's position, exactly up
-- to 10,000. Beyond that `messages` is estimated by ids, and `exact` is false. `seconds` is the age of the first of them.
-- All are NULL for a pipeline of another outbox, and before the first position of one that does not start at the earliest message.
CREATE FUNCTION tide.create_lag_function(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
  EXECUTE replace($template$
CREATE OR REPLACE FUNCTION tide.lag_<n>(
  p_pipeline text, OUT messages bigint, OUT exact boolean, OUT seconds double precision
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET max_parallel_workers_per_gather = 0
SET plan_cache_mode = force_generic_plan AS $body$
DECLARE
  v_cap constant integer := 10000;
  v_start text;
  v_at record;
  v_run_after bigint;
  v_first bigint;
BEGIN
  SELECT coalesce(p.config ->> 'start', 'earliest') INTO v_start FROM tide.pipeline p
  WHERE p.name = p_pipeline AND p.outbox_number = <n>;
  v_at := tide.saved_position(p_pipeline);
  IF v_start IS NULL OR v_at.window_number IS NULL AND v_start <> 'earliest' THEN
    RETURN;
  END IF;
  v_run_after := CASE v_at.phase WHEN 'run' THEN v_at.last_id ELSE greatest(v_at.lower_top_id, v_at.last_id) END;
  SELECT count(*), min(u.id) INTO messages, v_first FROM (
    SELECT s.id FROM (
      -- Stragglers of the window that were not reached.
      SELECT m.id FROM tide.message_<n> m WHERE v_at.phase = 'stragglers'
        AND m.xid = ANY (ARRAY(SELECT pg_snapshot_xip(v_at.lower_snapshot)))
        AND m.id + 0 > v_at.last_id AND m.id + 0 <= v_at.lower_top_id
      UNION ALL
      SELECT m.id FROM tide.message_<n> m WHERE v_at.phase = 'stragglers'
        AND m.xid >= pg_snapshot_xmax(v_at.lower_snapshot) AND m.xid < v_at.lower_next_xid
        AND m.id + 0 > v_at.last_id AND m.id + 0 <= v_at.lower_top_id
      UNION ALL
      -- Messages that committed after the upper mark with an id that was passed already: the next window's stragglers.
      SELECT m.id FROM tide.message_<n> m
      WHERE m.xid = ANY (ARRAY(SELECT pg_snapshot_xip(v_at.upper_snapshot))) AND m.id + 0 <= v_at.last_id
      UNION ALL
      SELECT m.id FROM tide.message_<n> m
      WHERE m.xid >= pg_snapshot_xmax(v_at.upper_snapshot) AND m.xid < v_at.upper_next_xid AND m.id + 0 <= v_at.last_id
      UNION ALL
      -- What the window's run still has, and everything published since.
      (SELECT m.id FROM tide.message_<n> m
        WHERE m.id > v_run_after AND NOT pg_visible_in_snapshot(m.xid, v_at.lower_snapshot)
        ORDER BY m.id LIMIT v_cap + 1)
    ) s LIMIT v_cap + 1
  ) u;
  SELECT coalesce(greatest(0, date_part('epoch', clock_timestamp() - m.created_at)), 0) INTO seconds
  FROM tide.message_<n> m WHERE m.id = v_first;
  seconds := coalesce(seconds, 0);
  exact := messages <= v_cap;
  IF NOT exact THEN
    messages := greatest(v_cap, pg_sequence_last_value('tide.id_<n>') - v_run_after);
  END IF;
END
$body$;
REVOKE ALL ON FUNCTION tide.lag_<n>(text) FROM PUBLIC;$template$, '<n>', p_number::text);
END
$create$;

-- How far a pipeline that the caller has a right on is behind; see `tide.lag_<number>`.
CREATE FUNCTION tide.pipeline_lag(
  p_pipeline text, OUT messages bigint, OUT exact boolean, OUT seconds double precision
) LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
BEGIN
  SELECT p.outbox_number INTO v_number FROM tide.pipeline p WHERE p.name = p_pipeline;
  IF v_number IS NOT NULL THEN
    EXECUTE format('SELECT * FROM tide.lag_%s($1)', v_number) INTO messages, exact, seconds USING p_pipeline;
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
