-- Dead letters: look at them, and throw them away. Row-level security shows each role those of the pipelines that it has a right on.

-- Dead letters, oldest first, without their contents. Each argument narrows; NULL does not.
CREATE FUNCTION tide.dlq_list(
  p_pipeline text DEFAULT NULL, p_code text DEFAULT NULL, p_before timestamptz DEFAULT NULL, p_limit integer DEFAULT 100
) RETURNS TABLE (
  id bigint, pipeline text, outbox text, message_id bigint, op text, stage text, code text, reason text, attempts integer,
  topic text, record_key text, created_at timestamptz, failed_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT d.id, d.pipeline, d.outbox, d.message_id, d.op, d.stage, d.code, d.reason, d.attempts, d.topic,
    d.record_key, d.created_at, d.failed_at
  FROM tide.dead_letter d
  WHERE (p_pipeline IS NULL OR d.pipeline = p_pipeline) AND (p_code IS NULL OR d.code = p_code)
    AND (p_before IS NULL OR d.failed_at < p_before)
  ORDER BY d.id LIMIT p_limit;
END
$body$;

-- One dead letter with everything needed to send it again.
CREATE FUNCTION tide.dlq_show(p_id bigint) RETURNS SETOF tide.dead_letter
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT * FROM tide.dead_letter d WHERE d.id = p_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'TD050',
      MESSAGE = format('Cannot show dead letter %s: there is none for role "%s"', coalesce(p_id::text, 'NULL'), current_user),
      HINT = 'SELECT * FROM tide.dlq_list() shows the dead letters.';
  END IF;
END
$body$;

-- Throw dead letters away for good: those that match all arguments that are given, at least one. Returns how many.
CREATE FUNCTION tide.dlq_discard(
  p_pipeline text DEFAULT NULL, p_id bigint DEFAULT NULL, p_code text DEFAULT NULL, p_before timestamptz DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_count bigint;
BEGIN
  IF num_nonnulls(p_pipeline, p_id, p_code, p_before) = 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'TD051',
      MESSAGE = 'Cannot discard dead letters: nothing says which, expected at least one of p_pipeline, p_id, p_code and p_before',
      HINT = 'For example: SELECT tide.dlq_discard(p_pipeline => ''orders-to-kafka'').';
  END IF;
  DELETE FROM tide.dead_letter d
  WHERE (p_pipeline IS NULL OR d.pipeline = p_pipeline) AND (p_id IS NULL OR d.id = p_id)
    AND (p_code IS NULL OR d.code = p_code) AND (p_before IS NULL OR d.failed_at < p_before);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END
$body$;
