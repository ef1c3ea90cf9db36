-- Dead letters are sent again: asked for here, done by the relay that holds the pipeline's lease.
--
-- What is asked for is kept as a filter, one row for whatever it matches: a million letters are asked for in the time that it takes to
-- count them, and asking writes none of them. A letter is gone when the sink has acknowledged it, in a statement that the lease
-- fences (`settle_retry.sql` of the relay).

ALTER TABLE tide.dead_letter
  -- `rejected` can never succeed as configured; `exhausted` has used up the attempts of its pipeline.
  ADD COLUMN failure text NOT NULL DEFAULT 'rejected' CHECK (failure IN ('rejected', 'exhausted')),
  -- Of the configuration under which it failed; NULL for letters older than this column.
  ADD COLUMN revision bigint,
  -- `failed_at` is the last time.
  ADD COLUMN first_failed_at timestamptz,
  -- How often it was sent again and failed again.
  ADD COLUMN retries integer NOT NULL DEFAULT 0,
  -- When the last of them was begun.
  ADD COLUMN retried_at timestamptz,
  -- JSON text, sent in place of the payload. Each edit counts, so that an answer about what was sent before says nothing of it.
  ADD COLUMN edited_payload text,
  ADD COLUMN edits integer NOT NULL DEFAULT 0;
UPDATE tide.dead_letter SET first_failed_at = failed_at;
ALTER TABLE tide.dead_letter ALTER COLUMN first_failed_at SET DEFAULT pg_catalog.clock_timestamp(),
  ALTER COLUMN first_failed_at SET NOT NULL;

-- By pipeline, by pipeline and code, by pipeline and time. With what row-level security asks for, so that letters are counted in the
-- index alone.
CREATE INDEX dead_letter_by_pipeline ON tide.dead_letter (pipeline, id) INCLUDE (outbox_number);
CREATE INDEX dead_letter_by_code ON tide.dead_letter (pipeline, code, id) INCLUDE (outbox_number);
CREATE INDEX dead_letter_by_time ON tide.dead_letter (pipeline, failed_at) INCLUDE (outbox_number);

-- What was asked to be sent again. NULL narrows nothing. Finished ones are kept for a week.
CREATE TABLE tide.dead_letter_retry (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Which sends, and whose letters they are: the same, unless that one was deleted.
  pipeline text NOT NULL REFERENCES tide.pipeline (name) ON DELETE CASCADE,
  source text NOT NULL,
  outbox_number integer NOT NULL,
  letter bigint,
  code text,
  before timestamptz,
  -- Letters that came later are not meant.
  top_id bigint NOT NULL,
  -- Most letters a second.
  rate integer,
  -- How many there were, and what became of them. Those that are missing in the end were gone when their turn came.
  letters bigint NOT NULL,
  delivered bigint NOT NULL DEFAULT 0,
  filtered bigint NOT NULL DEFAULT 0,
  refused bigint NOT NULL DEFAULT 0,
  requested_by text NOT NULL DEFAULT session_user,
  requested_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  finished_at timestamptz,
  cancelled boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE INDEX dead_letter_retry_open ON tide.dead_letter_retry (pipeline, id) WHERE finished_at IS NULL;

-- Dead letters that were dropped because their pipeline keeps them no longer.
ALTER TABLE tide.pipeline_state ADD COLUMN letters_expired bigint NOT NULL DEFAULT 0;

-- The dead letters that something asked for means and that were not tried for it yet, behind `p_after`, as a page in columns like
-- those of the reading functions; `n` = 0 at the end. Letters tried since it was asked for have failed again, whoever asked.
CREATE FUNCTION tide.read_letters(p_retry bigint, p_after bigint, p_rows integer, p_bytes bigint,
  OUT n integer, OUT letters text, OUT edits text, OUT retries text, OUT incarnations text, OUT read_at text,
  OUT payloads text, OUT ids text, OUT times text, OUT ops text, OUT keys text, OUT key_lengths text, OUT headers text,
  OUT previous text
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET max_parallel_workers_per_gather = 0
SET extra_float_digits = 1 SET plan_cache_mode = force_custom_plan AS $body$
DECLARE
  v_retry tide.dead_letter_retry;
  v_ids bigint[];
BEGIN
  n := 0;
  read_at := clock_timestamp();
  SELECT * INTO v_retry FROM tide.dead_letter_retry r WHERE r.id = p_retry AND r.finished_at IS NULL;
  IF v_retry.id IS NULL THEN
    RETURN;
  END IF;
  -- How many of them fit; the first one always does.
  v_ids := ARRAY(SELECT w.id FROM (
    SELECT m.id, row_number() OVER next AS place, sum(m.bytes) OVER next AS through FROM (
      SELECT d.id, octet_length(coalesce(d.edited_payload, d.payload)) + coalesce(octet_length(d.headers), 0)
        + coalesce(octet_length(d.previous), 0) + coalesce(octet_length(d.dedup_key), 0) AS bytes
      FROM tide.dead_letter d
      WHERE d.pipeline = v_retry.source AND d.outbox_number = v_retry.outbox_number AND d.id > p_after AND d.id <= v_retry.top_id
        AND (v_retry.letter IS NULL OR d.id = v_retry.letter) AND (v_retry.code IS NULL OR d.code = v_retry.code)
        AND (v_retry.before IS NULL OR d.failed_at < v_retry.before)
        AND (d.retried_at IS NULL OR d.retried_at < v_retry.requested_at)
      ORDER BY d.id LIMIT p_rows
    ) m WINDOW next AS (ORDER BY m.id ROWS UNBOUNDED PRECEDING)
  ) w WHERE w.place = 1 OR w.through <= p_bytes ORDER BY w.id);
  -- Only somebody who wrote into the table by hand can have put a newline into JSON: between its tokens, where a space is as good.
  SELECT count(*)::integer, string_agg(r.id::text, ','), string_agg(r.edits::text, ','), string_agg(r.retries::text, ','),
    string_agg(r.incarnation, ','), string_agg(replace(coalesce(r.edited_payload, r.payload), E'\n', ' '), E'\n'),
    string_agg(r.message_id::text, ','), string_agg(date_part('epoch', r.created_at)::text, ','),
    string_agg(left(r.op, 1), ''), string_agg(r.dedup_key, ''),
    string_agg(coalesce(octet_length(r.dedup_key), -1)::text, ','),
    CASE WHEN count(r.headers) > 0 THEN string_agg(coalesce(replace(r.headers, E'\n', ' '), ''), E'\n') END,
    CASE WHEN count(r.previous) > 0 THEN string_agg(coalesce(replace(r.previous, E'\n', ' '), ''), E'\n') END
  INTO n, letters, edits, retries, incarnations, payloads, ids, times, ops, keys, key_lengths, headers, previous
  FROM (SELECT * FROM tide.dead_letter d WHERE d.id = ANY (v_ids) ORDER BY d.id) r;
END
$body$;

-- The function of one outbox by which its dead letters are asked to be sent again, and by which that is called off: whoever may
-- configure the outbox's pipelines may do that, and the relay, which could do it anyway.
CREATE FUNCTION tide.create_retry_function(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
  EXECUTE replace($template$
CREATE OR REPLACE FUNCTION tide.retry_<n>(p_action text, p_retry tide.dead_letter_retry, p_payload text, OUT retry bigint, OUT letters bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  p_retry.outbox_number := <n>;
  IF p_action = 'cancel' THEN
    UPDATE tide.dead_letter_retry r SET finished_at = clock_timestamp(), cancelled = true
    WHERE r.id = p_retry.id AND r.outbox_number = <n> AND r.finished_at IS NULL RETURNING r.id INTO retry;
    RETURN;
  END IF;
  SELECT * INTO retry, letters FROM tide.request_retry(p_retry, p_payload, p_action = 'count');
END
$body$;
REVOKE ALL ON FUNCTION tide.retry_<n>(text, tide.dead_letter_retry, text) FROM PUBLIC;$template$, '<n>', p_number::text);
END
$create$;

-- Count the letters that are meant, and ask for them to be sent again unless there are none or `p_count_only` says not to.
CREATE FUNCTION tide.request_retry(p_retry tide.dead_letter_retry, p_payload text, p_count_only boolean,
  OUT retry bigint, OUT letters bigint
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $body$
DECLARE
  v_other text;
BEGIN
  SELECT count(*), max(d.id) INTO letters, p_retry.top_id FROM tide.dead_letter d
  WHERE d.pipeline = p_retry.source AND d.outbox_number = p_retry.outbox_number
    AND (p_retry.letter IS NULL OR d.id = p_retry.letter) AND (p_retry.code IS NULL OR d.code = p_retry.code)
    AND (p_retry.before IS NULL OR d.failed_at < p_retry.before);
  IF letters = 0 OR p_count_only THEN
    RETURN;
  END IF;
  -- One pipeline at a time sends letters of another: two would have two relays send the same ones. The lock is one beside those of
  -- outboxes.
  PERFORM pg_advisory_xact_lock(1414087750, hashtext(p_retry.source));
  SELECT r.pipeline INTO v_other FROM tide.dead_letter_retry r
  WHERE r.source = p_retry.source AND r.pipeline <> p_retry.pipeline AND r.finished_at IS NULL LIMIT 1;
  IF v_other IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD055',
      MESSAGE = format('Cannot send the dead letters of "%s" again through "%s": "%s" is sending them', p_retry.source,
        p_retry.pipeline, v_other),
      HINT = 'Wait until it has, or call that off with tide.dlq_cancel; tide.dlq_retries() shows it.';
  END IF;
  IF p_payload IS NOT NULL THEN
    PERFORM tide.edit_letter(p_retry.letter, p_payload);
  END IF;
  INSERT INTO tide.dead_letter_retry (pipeline, source, outbox_number, letter, code, before, top_id, rate, letters)
  VALUES (p_retry.pipeline, p_retry.source, p_retry.outbox_number, p_retry.letter, p_retry.code, p_retry.before,
    p_retry.top_id, p_retry.rate, letters) RETURNING id INTO retry;
  PERFORM pg_notify('tide_config', '');
END
$body$;

-- Put a payload beside that of a dead letter. It is not larger than what could be published.
CREATE FUNCTION tide.edit_letter(p_letter bigint, p_payload text) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_bytes bigint;
  v_most integer;
BEGIN
  SELECT octet_length(p_payload)::bigint + coalesce(octet_length(d.dedup_key), 0) + coalesce(octet_length(d.headers), 0)
    + coalesce(octet_length(d.previous), 0), o.max_message_bytes INTO v_bytes, v_most
  FROM tide.dead_letter d JOIN tide.outbox o ON o.number = d.outbox_number WHERE d.id = p_letter;
  IF v_bytes > v_most THEN
    RAISE EXCEPTION USING ERRCODE = 'TD006',
      MESSAGE = format('Cannot retry dead letter %s: with p_payload the message has %s bytes as text, expected at most %s',
        p_letter, v_bytes, v_most),
      HINT = 'Give a smaller payload.';
  END IF;
  UPDATE tide.dead_letter SET edited_payload = p_payload, edits = edits + 1 WHERE id = p_letter;
END
$body$;
