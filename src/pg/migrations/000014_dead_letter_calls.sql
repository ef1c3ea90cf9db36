-- What users call to find dead letters, to have them sent again and to throw them away. Row-level security shows each role those of the
-- outboxes that it has a right on.
--
-- Plans are made for the arguments of each call: a plan for any arguments would walk through all letters.

-- The columns of a function can only be changed by making it anew. Whoever might call the old one may call the new one.
DO $replace$
DECLARE
  v_grantees text[] := ARRAY(SELECT tide.grantees(to_regproc('tide.dlq_list')));
BEGIN
  DROP FUNCTION tide.dlq_list(text, text, timestamptz, integer);
  EXECUTE $create$
-- Dead letters, oldest first, without their contents. Each argument narrows; NULL does not. `p_after` is the last id of the page before.
-- `retry` is what has asked for the letter to be sent again, if that is not done.
CREATE FUNCTION tide.dlq_list(
  p_pipeline text DEFAULT NULL, p_code text DEFAULT NULL, p_before timestamptz DEFAULT NULL, p_limit integer DEFAULT 100,
  p_after bigint DEFAULT NULL
) RETURNS TABLE (
  id bigint, pipeline text, outbox text, message_id bigint, op text, stage text, failure text, code text, reason text,
  attempts integer, retries integer, retry bigint, topic text, record_key text, partition integer, revision bigint,
  created_at timestamptz, first_failed_at timestamptz, failed_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $body$
BEGIN
  RETURN QUERY SELECT d.id, d.pipeline, d.outbox, d.message_id, d.op, d.stage, d.failure, d.code, d.reason, d.attempts, d.retries,
    (SELECT min(r.id) FROM tide.dead_letter_retry r
      WHERE r.finished_at IS NULL AND r.source = d.pipeline AND r.outbox_number = d.outbox_number AND d.id <= r.top_id
        AND (r.letter IS NULL OR d.id = r.letter) AND (r.code IS NULL OR d.code = r.code)
        AND (r.before IS NULL OR d.failed_at < r.before) AND (d.retried_at IS NULL OR d.retried_at < r.requested_at)),
    d.topic, d.record_key, d.partition, d.revision, d.created_at, d.first_failed_at, d.failed_at
  FROM tide.dead_letter d
  WHERE (p_pipeline IS NULL OR d.pipeline = p_pipeline) AND (p_code IS NULL OR d.code = p_code)
    AND (p_before IS NULL OR d.failed_at < p_before) AND (p_after IS NULL OR d.id > p_after)
  ORDER BY d.id LIMIT p_limit;
END
$body$;
$create$;
  PERFORM tide.change_rights(true, ARRAY['dlq_list'], g) FROM unnest(v_grantees) g;
END
$replace$;

ALTER FUNCTION tide.dlq_discard(text, bigint, text, timestamptz) SET plan_cache_mode = force_custom_plan;

-- How many dead letters there are that match all arguments that are given.
CREATE FUNCTION tide.dlq_count(
  p_pipeline text DEFAULT NULL, p_id bigint DEFAULT NULL, p_code text DEFAULT NULL, p_before timestamptz DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $body$
BEGIN
  RETURN (SELECT count(*) FROM tide.dead_letter d
    WHERE (p_pipeline IS NULL OR d.pipeline = p_pipeline) AND (p_id IS NULL OR d.id = p_id)
      AND (p_code IS NULL OR d.code = p_code) AND (p_before IS NULL OR d.failed_at < p_before));
END
$body$;

-- What the dead letters have failed of, by pipeline and code.
CREATE FUNCTION tide.dlq_status(p_pipeline text DEFAULT NULL) RETURNS TABLE (
  pipeline text, code text, letters bigint, first_failed_at timestamptz, failed_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $body$
BEGIN
  RETURN QUERY SELECT d.pipeline, d.code, count(*), min(d.first_failed_at), max(d.failed_at) FROM tide.dead_letter d
  WHERE p_pipeline IS NULL OR d.pipeline = p_pipeline GROUP BY d.pipeline, d.code ORDER BY d.pipeline, count(*) DESC, d.code;
END
$body$;

-- What was asked to be sent again, newest first, and how far it has come. `waiting` are letters whose turn has not come yet.
CREATE FUNCTION tide.dlq_retries(p_pipeline text DEFAULT NULL, p_retry bigint DEFAULT NULL, p_limit integer DEFAULT 100)
RETURNS TABLE (
  retry bigint, pipeline text, source text, letter bigint, code text, before timestamptz, rate integer, letters bigint,
  delivered bigint, filtered bigint, refused bigint, waiting bigint, state text, requested_by text, requested_at timestamptz,
  finished_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $body$
BEGIN
  RETURN QUERY SELECT r.id, r.pipeline, r.source, r.letter, r.code, r.before, r.rate, r.letters, r.delivered, r.filtered, r.refused,
    CASE WHEN r.finished_at IS NULL THEN greatest(0, r.letters - r.delivered - r.filtered - r.refused) ELSE 0 END,
    CASE WHEN r.cancelled THEN 'cancelled' WHEN r.finished_at IS NULL THEN 'open' ELSE 'finished' END,
    r.requested_by, r.requested_at, r.finished_at
  FROM tide.dead_letter_retry r
  WHERE (p_pipeline IS NULL OR r.pipeline = p_pipeline) AND (p_retry IS NULL OR r.id = p_retry)
  ORDER BY r.id DESC LIMIT p_limit;
END
$body$;

-- Have dead letters sent again through the present configuration of their pipeline, those that match all arguments that are given:
-- p_pipeline or p_id at least. The relay that delivers the pipeline sends them, oldest first, beside what is published. Returns the number
-- of what is asked for, for tide.dlq_retries and tide.dlq_cancel, and how many letters that are; with none of them, or p_dry_run,
-- nothing is asked for.
--
-- p_payload   is sent in place of the payload, of one letter
-- p_rate      most letters a second
-- p_into      the pipeline to send through, for letters of one that was deleted
CREATE FUNCTION tide.dlq_retry(
  p_pipeline text DEFAULT NULL, p_id bigint DEFAULT NULL, p_code text DEFAULT NULL, p_before timestamptz DEFAULT NULL,
  p_payload jsonb DEFAULT NULL, p_rate integer DEFAULT NULL, p_into text DEFAULT NULL, p_dry_run boolean DEFAULT false,
  OUT retry bigint, OUT letters bigint
) LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_retry tide.dead_letter_retry;
  v_sender tide.pipeline;
BEGIN
  PERFORM tide.check_retry_arguments(p_pipeline, p_id, p_payload, p_rate);
  v_retry.source := coalesce(tide.pipeline_of_letter(p_pipeline, p_id), p_pipeline);
  v_retry.pipeline := coalesce(p_into, v_retry.source);
  v_retry.letter := p_id;
  v_retry.code := p_code;
  v_retry.before := p_before;
  v_retry.rate := p_rate;
  SELECT * INTO v_sender FROM tide.pipeline p WHERE p.name = v_retry.pipeline;
  IF v_retry.pipeline <> v_retry.source OR v_sender.name IS NULL THEN
    PERFORM tide.check_retry_route(v_retry.source, p_into);
  END IF;
  IF has_function_privilege(to_regproc('tide.retry_' || v_sender.outbox_number), 'EXECUTE') IS NOT TRUE THEN
    PERFORM tide.refuse_pipeline('retry dead letters', v_retry.pipeline);
  END IF;
  EXECUTE 'SELECT * FROM tide.retry_' || v_sender.outbox_number || '($1, $2, $3)' INTO retry, letters
  USING CASE WHEN p_dry_run THEN 'count' ELSE 'request' END, v_retry, p_payload::text;
  IF letters = 0 AND EXISTS (SELECT FROM tide.dead_letter d WHERE d.pipeline = v_retry.source
      AND (p_id IS NULL OR d.id = p_id) AND d.outbox_number <> v_sender.outbox_number) THEN
    RAISE EXCEPTION USING ERRCODE = 'TD053',
      MESSAGE = format('Cannot retry the dead letters of pipeline "%s" through "%s": they are of another outbox', v_retry.source,
        v_retry.pipeline),
      HINT = 'Name a pipeline of their outbox with p_into, or discard them with tide.dlq_discard.';
  ELSIF retry IS NOT NULL AND NOT v_sender.enabled THEN
    RAISE NOTICE 'Pipeline "%" is disabled: the dead letters are sent when it is enabled', v_retry.pipeline;
  END IF;
END
$body$;

-- Raises unless the arguments of dlq_retry make sense together.
CREATE FUNCTION tide.check_retry_arguments(p_pipeline text, p_id bigint, p_payload jsonb, p_rate integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF num_nonnulls(p_pipeline, p_id) = 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'TD051',
      MESSAGE = 'Cannot retry dead letters: nothing says which, expected p_pipeline or p_id',
      HINT = 'For example: SELECT * FROM tide.dlq_retry(''orders-to-kafka'').';
  ELSIF p_payload IS NOT NULL AND p_id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD052',
      MESSAGE = 'Cannot retry dead letters: p_payload is given without p_id, expected the one letter that it is for',
      HINT = 'For example: SELECT * FROM tide.dlq_retry(p_id => 7, p_payload => ''{"total": 1}'').';
  ELSIF p_rate NOT BETWEEN 1 AND 1000000 THEN
    RAISE EXCEPTION USING ERRCODE = 'TD052',
      MESSAGE = format('Cannot retry dead letters: p_rate is %s, expected 1 to 1000000 letters a second', p_rate),
      HINT = 'Leave p_rate out to send them as fast as the sink takes them.';
  END IF;
END
$body$;

-- The pipeline whose letter that is; NULL without an id. Raises when there is no such letter, or it is another pipeline's than said.
CREATE FUNCTION tide.pipeline_of_letter(p_pipeline text, p_id bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_pipeline text := (SELECT d.pipeline FROM tide.dead_letter d WHERE d.id = p_id);
BEGIN
  IF p_id IS NOT NULL AND (v_pipeline IS NULL OR v_pipeline <> p_pipeline) THEN
    RAISE EXCEPTION USING ERRCODE = 'TD050',
      MESSAGE = format('Cannot retry dead letter %s: ', p_id)
        || CASE WHEN v_pipeline IS NULL THEN format('there is none for role "%s"', current_user)
          ELSE format('it is of pipeline "%s", expected "%s"', v_pipeline, p_pipeline) END,
      HINT = 'SELECT * FROM tide.dlq_list() shows the dead letters.';
  END IF;
  RETURN v_pipeline;
END
$body$;

-- Raises unless the letters of a pipeline that was deleted are sent through another one.
CREATE FUNCTION tide.check_retry_route(p_source text, p_into text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF EXISTS (SELECT FROM tide.pipeline p WHERE p.name = p_source) THEN
    RAISE EXCEPTION USING ERRCODE = 'TD053',
      MESSAGE = format('Cannot retry the dead letters of pipeline "%s" through "%s": it can send them itself', p_source, p_into),
      HINT = 'Leave p_into out. Only the letters of a pipeline that was deleted go through another one.';
  ELSIF NOT EXISTS (SELECT FROM tide.dead_letter d WHERE d.pipeline = p_source) THEN
    PERFORM tide.refuse_pipeline('retry dead letters', p_source);
  ELSIF p_into IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD053',
      MESSAGE = format('Cannot retry the dead letters of pipeline "%s": it was deleted', p_source),
      HINT = 'Name a pipeline of the same outbox with p_into to send them through it.';
  END IF;
END
$body$;

-- Call off what was asked to be sent again, for the letters whose turn has not come. Returns whether it was not done yet.
CREATE FUNCTION tide.dlq_cancel(p_retry bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_retry tide.dead_letter_retry;
  v_cancelled bigint;
BEGIN
  SELECT * INTO v_retry FROM tide.dead_letter_retry r WHERE r.id = p_retry;
  IF v_retry.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD054',
      MESSAGE = format('Cannot cancel retry %s: there is none for role "%s"', coalesce(p_retry::text, 'NULL'), current_user),
      HINT = 'SELECT * FROM tide.dlq_retries() shows what was asked to be sent again.';
  END IF;
  EXECUTE 'SELECT retry FROM tide.retry_' || v_retry.outbox_number || '(''cancel'', $1, NULL)' INTO v_cancelled USING v_retry;
  RETURN v_cancelled IS NOT NULL;
END
$body$;
