-- Dead letters keep the partition that their pipeline had said, beside topic and key.

ALTER TABLE tide.dead_letter ADD COLUMN partition integer;

-- The columns of a function can only be changed by making it anew. Whoever might call the old one may call the new one.
DO $replace$
DECLARE
  v_grantees text[] := ARRAY(SELECT tide.grantees(to_regproc('tide.dlq_list')));
BEGIN
  DROP FUNCTION tide.dlq_list(text, text, timestamptz, integer);
  EXECUTE $create$
-- Dead letters, oldest first, without their contents. Each argument narrows; NULL does not.
CREATE FUNCTION tide.dlq_list(
  p_pipeline text DEFAULT NULL, p_code text DEFAULT NULL, p_before timestamptz DEFAULT NULL, p_limit integer DEFAULT 100
) RETURNS TABLE (
  id bigint, pipeline text, outbox text, message_id bigint, op text, stage text, code text, reason text, attempts integer,
  topic text, record_key text, partition integer, created_at timestamptz, failed_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT d.id, d.pipeline, d.outbox, d.message_id, d.op, d.stage, d.code, d.reason, d.attempts, d.topic,
    d.record_key, d.partition, d.created_at, d.failed_at
  FROM tide.dead_letter d
  WHERE (p_pipeline IS NULL OR d.pipeline = p_pipeline) AND (p_code IS NULL OR d.code = p_code)
    AND (p_before IS NULL OR d.failed_at < p_before)
  ORDER BY d.id LIMIT p_limit;
END
$body$;
$create$;
  PERFORM tide.change_rights(true, ARRAY['dlq_list'], g) FROM unnest(v_grantees) g;
END
$replace$;
