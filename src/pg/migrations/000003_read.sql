-- Reading in commit-safe order: marks, and the pages of a window. What a window is stands in `src/read/mod.ts`.
--
-- Each outbox has reading functions of its own, over its own partitioned table: reading through one common root would lock more
-- than a thousand relations with a hundred outboxes, and tie one outbox's reading to another's TRUNCATE.
--
-- The planner options stand on the functions, because a SET on the connection does not survive a transaction pooler.
-- They are needed because slots are emptied and refilled and never analysed: without statistics the planner scans and sorts the
-- whole backlog for one page (500 ms instead of 1.4).

-- Take a mark of an outbox: a snapshot, then the last id drawn (0 before the first), then the next transaction id that
-- nobody has. Must be a transaction of its own, because the server caches the value behind age() for a transaction: a
-- second mark would get a `next_xid` that is too small, and messages would be lost.
CREATE FUNCTION tide.mark(p_outbox integer, OUT snapshot text, OUT top_id bigint, OUT next_xid text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_snapshot pg_snapshot;
  v_low bigint;
  v_xmax bigint;
  v_next bigint;
BEGIN
  IF pg_is_in_recovery() THEN
    RAISE EXCEPTION USING ERRCODE = 'TD031', MESSAGE = 'Cannot take a mark: this server is a standby, expected the primary',
      HINT = 'Connect the relay to the primary: a standby''s snapshots leave out open transactions.';
  END IF;
  IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD030',
      MESSAGE = 'Cannot take a mark: the transaction has written already, expected a transaction of its own',
      HINT = 'Call tide.mark alone, outside BEGIN and COMMIT.';
  END IF;
  IF current_setting('tide.marked', true) = 'yes' THEN
    RAISE EXCEPTION USING ERRCODE = 'TD030',
      MESSAGE = 'Cannot take a mark: the transaction has taken one already, expected a transaction of its own',
      HINT = 'Call tide.mark alone, outside BEGIN and COMMIT.';
  END IF;
  PERFORM set_config('tide.marked', 'yes', true);
  v_snapshot := pg_current_snapshot();
  top_id := coalesce(pg_sequence_last_value(format('tide.id_%s', p_outbox)::regclass), 0);
  -- The low half of the next transaction id; age() counts modulo 2^32 and answers as a signed number.
  v_low := (age('3'::xid)::bigint + 3) & 4294967295;
  v_xmax := pg_snapshot_xmax(v_snapshot)::text::bigint;
  v_next := (v_xmax & ~4294967295::bigint) | v_low;
  IF v_next < v_xmax THEN
    v_next := v_next + 4294967296;
  END IF;
  snapshot := v_snapshot::text;
  next_xid := v_next::text;
END
$body$;

-- Ask publishers to notify for `p_ms` milliseconds from now. Writes at most every fifth of that time. Returns false when this outbox
-- never notifies, so that the relay polls.
CREATE FUNCTION tide.ask_for_wakeup(p_outbox integer, p_ms integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_sequence regclass := format('tide.wait_%s', p_outbox)::regclass;
  v_now bigint := floor(date_part('epoch', clock_timestamp()) * 1000);
BEGIN
  IF tide.notifies((SELECT o.wakeup FROM tide.outbox o WHERE o.number = p_outbox)) IS NOT TRUE THEN
    RETURN false;
  END IF;
  IF coalesce(pg_sequence_last_value(v_sequence), 0) < v_now + p_ms - p_ms / 5 THEN
    PERFORM setval(v_sequence, v_now + p_ms);
  END IF;
  RETURN true;
END
$body$;

-- The reading functions of one outbox. Both return one row: a page as columns, or `n` = 0 at the end of the phase.
--
--   payloads   JSON texts joined by newlines, which a jsonb's text never holds
--   ids, times joined by commas; times are seconds since 1970 with a fraction
--   ops        one letter each
--   keys       dedup keys, one after the other; key_lengths their lengths in bytes, joined by commas, -1 for NULL
--   headers, previous   JSON texts joined by newlines, empty for NULL; NULL when no message of the page has one
--
-- Measured from Deno, 255-byte payloads, pages of 2,000, one connection (14 / 18): this 395,000 / 480,000 messages a
-- second; with a window function over the lengths in every page instead of a sum first 350,000 / 405,000; numeric times
-- 288,000 on 18; array_agg for the numbers 338,000; json_agg for the keys 376,000; rows, not aggregated 312,000 / 408,000.
CREATE FUNCTION tide.create_page_function(
  p_name text, p_arguments text, p_variables text, p_prelude text, p_messages text
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $create$
DECLARE
  v_text text := $template$
CREATE OR REPLACE FUNCTION <name>(<arguments>, p_rows integer, p_bytes bigint,
  OUT n integer, OUT last_id bigint, OUT payloads text, OUT ids text, OUT times text, OUT ops text, OUT keys text,
  OUT key_lengths text, OUT headers text, OUT previous text
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET max_parallel_workers_per_gather = 0
SET extra_float_digits = 1 SET plan_cache_mode = force_generic_plan AS $body$
DECLARE
  v_rows integer := p_rows;<variables>
BEGIN<prelude>
  -- How many of the messages fit: all of them, mostly, which one sum tells. The first one always does.
  IF (SELECT sum(<bytes>) FROM <messages>) > p_bytes THEN
    SELECT greatest(1, count(*))::integer INTO v_rows FROM (
      SELECT sum(<bytes>) OVER (ORDER BY r.id ROWS UNBOUNDED PRECEDING) AS through FROM <messages>
    ) w WHERE w.through <= p_bytes;
  END IF;
  SELECT count(*)::integer, max(r.id), string_agg(r.payload, E'\n'), string_agg(r.id::text, ','),
    string_agg(date_part('epoch', r.created_at)::text, ','), string_agg(r.op::text, ''),
    string_agg(r.dedup_key, ''), string_agg(coalesce(octet_length(r.dedup_key), -1)::text, ','),
    CASE WHEN count(r.headers) > 0 THEN string_agg(coalesce(r.headers, ''), E'\n') END,
    CASE WHEN count(r.previous) > 0 THEN string_agg(coalesce(r.previous, ''), E'\n') END
  INTO n, last_id, payloads, ids, times, ops, keys, key_lengths, headers, previous FROM <messages>;
END
$body$;
REVOKE ALL ON FUNCTION <name> FROM PUBLIC;$template$;
BEGIN
  v_text := replace(v_text, '<messages>', p_messages);
  v_text := replace(v_text, '<bytes>', '(octet_length(r.payload) + coalesce(octet_length(r.headers), 0)'
    || ' + coalesce(octet_length(r.previous), 0) + coalesce(octet_length(r.dedup_key), 0))');
  v_text := replace(v_text, '<variables>', p_variables);
  v_text := replace(v_text, '<prelude>', p_prelude);
  v_text := replace(v_text, '<arguments>', p_arguments);
  EXECUTE replace(v_text, '<name>', p_name);
END
$create$;

CREATE FUNCTION tide.create_read_functions(p_number integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
  -- The run: messages with p_after < id <= p_to that are visible in p_upper and not in p_lower.
  PERFORM tide.create_page_function('tide.read_run_' || p_number,
    'p_lower pg_snapshot, p_upper pg_snapshot, p_after bigint, p_to bigint', '', '', replace($messages$(
    SELECT m.id, m.created_at, m.op, m.dedup_key, m.payload, m.headers, m.previous FROM tide.message_<n> m
    WHERE m.id > p_after AND m.id <= p_to AND NOT pg_visible_in_snapshot(m.xid, p_lower)
      AND pg_visible_in_snapshot(m.xid, p_upper)
    ORDER BY m.id LIMIT v_rows) r$messages$, '<n>', p_number::text));
  -- The stragglers: messages with p_after < id <= p_lower_top of transactions that were open at the lower mark. First their ids, by
  -- the index on (xid, id), then their rows. `id + 0` keeps the planner from walking the backlog by the index on
  -- (id), which LIMIT and ORDER BY favour (45 ms instead of 0.1 with nothing straggling); a lateral probe for
  -- each open transaction costs 47 microseconds each.
  PERFORM tide.create_page_function('tide.read_stragglers_' || p_number,
    'p_lower pg_snapshot, p_upper pg_snapshot, p_lower_top bigint, p_lower_next xid8, p_after bigint',
    E'\n  v_ids bigint[];', replace($prelude$
  v_ids := ARRAY(
    SELECT u.id FROM (
      SELECT m.id FROM tide.message_<n> m WHERE m.xid = ANY (ARRAY(SELECT pg_snapshot_xip(p_lower)))
        AND m.id + 0 > p_after AND m.id + 0 <= p_lower_top AND pg_visible_in_snapshot(m.xid, p_upper)
      UNION ALL
      SELECT m.id FROM tide.message_<n> m WHERE m.xid >= pg_snapshot_xmax(p_lower) AND m.xid < p_lower_next
        AND m.id + 0 > p_after AND m.id + 0 <= p_lower_top AND pg_visible_in_snapshot(m.xid, p_upper)
    ) u ORDER BY u.id LIMIT p_rows);
  IF cardinality(v_ids) = 0 THEN
    n := 0;
    RETURN;
  END IF;$prelude$, '<n>', p_number::text), replace($messages$(
    SELECT m.id, m.created_at, m.op, m.dedup_key, m.payload, m.headers, m.previous FROM tide.message_<n> m
    WHERE m.id = ANY (v_ids) ORDER BY m.id LIMIT v_rows) r$messages$, '<n>', p_number::text));
END
$create$;

-- The id behind which reading starts for messages published at or after a time: nothing published then has a lower id, but for
-- transactions that were open and drew their ids in the same instant. Scans the outbox once.
CREATE FUNCTION tide.start_id(p_outbox integer, p_time timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_before bigint;
  v_first bigint;
BEGIN
  EXECUTE format('SELECT max(id) FILTER (WHERE created_at < $1), min(id) FILTER (WHERE created_at >= $1) '
    'FROM tide.message_%s', p_outbox) INTO v_before, v_first USING p_time;
  RETURN least(coalesce(v_before, 0), coalesce(v_first - 1, v_before, 0));
END
$body$;
