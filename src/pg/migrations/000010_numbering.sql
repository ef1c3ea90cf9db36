-- Do the saved positions belong to this server's numbering? Checked at every connect, before any mark. Transaction ids and message
-- ids go back when a dump is restored into a younger cluster, when a failover loses the end of the log, and after
-- point-in-time recovery. A position from another numbering would make new messages look as if they had been read: nothing fails, all are lost.

-- The system identifier, or 'unknown' where the platform does not tell.
CREATE FUNCTION tide.system_identifier() RETURNS text LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN (SELECT c.system_identifier::text FROM pg_control_system() c);
EXCEPTION WHEN insufficient_privilege THEN
  RETURN 'unknown';
END
$body$;

-- The timeline that is written now. `pg_control_checkpoint()` would still name the old one after a promotion.
CREATE FUNCTION tide.timeline() RETURNS text LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN left(pg_walfile_name(pg_current_wal_lsn()), 8);
EXCEPTION WHEN insufficient_privilege THEN
  RETURN 'unknown';
END
$body$;

-- The largest transaction id and message id that an outbox's rows and saved marks name; 0 for none.
CREATE FUNCTION tide.highest_numbers(p_number integer, OUT xid numeric, OUT id bigint) LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $body$
DECLARE
  v_rows record;
  v_marks record;
BEGIN
  EXECUTE format('SELECT (SELECT m.xid::text::numeric FROM tide.message_%1$s m ORDER BY m.xid DESC, m.id DESC LIMIT 1) AS xid, '
    '(SELECT m.id FROM tide.message_%1$s m ORDER BY m.id DESC LIMIT 1) AS id', p_number) INTO v_rows;
  SELECT max(greatest(w.upper_next_xid::text::numeric, pg_snapshot_xmax(w.upper_snapshot)::text::numeric)) AS xid,
    max(w.upper_top_id) AS id
  INTO v_marks FROM tide.window w JOIN tide.pipeline p ON p.name = w.pipeline WHERE p.outbox_number = p_number;
  -- A row's transaction has its id; a mark's `next_xid` had none yet.
  xid := greatest(coalesce(v_rows.xid + 1, 0), coalesce(v_marks.xid, 0));
  id := greatest(coalesce(v_rows.id, 0), coalesce(v_marks.id, 0));
END
$body$;

-- Move the sequence of an outbox's ids forward when it is behind `p_id`, with a margin for ids drawn in the meantime. Returns whether it was.
CREATE FUNCTION tide.advance_sequence(p_number integer, p_id bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_sequence regclass := format('tide.id_%s', p_number)::regclass;
BEGIN
  IF coalesce(pg_sequence_last_value(v_sequence), 0) >= p_id THEN
    RETURN false;
  END IF;
  PERFORM setval(v_sequence, p_id + 1000000);
  RETURN true;
END
$body$;

-- Check, and adopt what may be adopted. `verdict` is:
--   ok        nothing changed, or the first check ever
--   adopted   another identifier or timeline with the same numbering; `detail` says which. Every outbox has a new incarnation
--             and its ids jump, because ids after the fork or the backup may be given out twice
--   foreign   saved positions name transactions that this server has not reached: nothing may be read or moved
--   clone     another identifier, and another relay is registered: adopt only when asked to
--   standby   this server is in recovery
-- `sequences_moved` are the outboxes whose ids were behind their rows.
CREATE FUNCTION tide.check_numbering(
  p_holder text, p_adopt boolean DEFAULT false, OUT verdict text, OUT detail text, OUT sequences_moved text[]
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_saved tide.cluster;
  v_highest numeric;
  v_next numeric;
  v_changes text[];
BEGIN
  sequences_moved := '{}';
  IF pg_is_in_recovery() THEN
    verdict := 'standby';
    detail := 'The server is in recovery';
    RETURN;
  END IF;
  SELECT max(h.xid) INTO v_highest FROM tide.outbox o, LATERAL tide.highest_numbers(o.number) h;
  SELECT * INTO v_saved FROM tide.cluster FOR UPDATE;
  v_highest := greatest(v_highest, v_saved.next_xid::text::numeric);
  -- What is visible was written by transactions that have ended, so a later snapshot ends behind all of them.
  v_next := pg_snapshot_xmax(pg_current_snapshot())::text::numeric;
  SELECT coalesce(array_agg(coalesce(o.name, '(dropped)') ORDER BY o.name), '{}') INTO sequences_moved
  FROM tide.outbox o, LATERAL tide.highest_numbers(o.number) h WHERE tide.advance_sequence(o.number, h.id);
  IF v_highest > v_next THEN
    verdict := 'foreign';
    detail := format('saved positions and messages go up to transaction %s, this server is at %s', v_highest, v_next);
    RETURN;
  END IF;
  v_changes := array_remove(ARRAY[
    CASE WHEN v_saved.system_identifier <> tide.system_identifier() THEN 'identifier' END,
    CASE WHEN v_saved.timeline <> tide.timeline() THEN 'timeline' END], NULL);
  IF 'identifier' = ANY (v_changes) AND NOT p_adopt AND EXISTS (SELECT FROM tide.relay r WHERE r.holder <> p_holder) THEN
    verdict := 'clone';
    detail := format('the database was made on system %s and is now on %s', v_saved.system_identifier,
      tide.system_identifier());
    RETURN;
  END IF;
  IF v_changes <> '{}' THEN
    PERFORM tide.begin_incarnation(o.number) FROM tide.outbox o;
  END IF;
  INSERT INTO tide.cluster AS c (system_identifier, timeline, next_xid)
  VALUES (tide.system_identifier(), tide.timeline(), v_next::text::xid8)
  ON CONFLICT (one) DO UPDATE SET system_identifier = excluded.system_identifier, timeline = excluded.timeline,
    next_xid = excluded.next_xid, adopted_at = clock_timestamp();
  verdict := CASE WHEN v_changes = '{}' THEN 'ok' ELSE 'adopted' END;
  detail := array_to_string(v_changes, ', ');
END
$body$;

-- Ids of this outbox may have been given out before, on a branch of history that is gone: jump, and change the
-- incarnation, so that consumers who deduplicate do not drop new messages.
CREATE FUNCTION tide.begin_incarnation(p_number integer) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_sequence regclass := format('tide.id_%s', p_number)::regclass;
BEGIN
  PERFORM setval(v_sequence, coalesce(pg_sequence_last_value(v_sequence), 0) + 1000000);
  UPDATE tide.outbox SET incarnation = tide.new_incarnation() WHERE number = p_number;
END
$body$;

-- The life of the server, as a text; NULL when none has begun. A relay takes marks, reads pages and writes positions only in the
-- life in which it began: each of its statements asks, because a pooler or a driver that connects again hides a crash from the relay. The
-- time of the start tells a server apart from a copy that was made with the table's row in it.
CREATE FUNCTION tide.life() RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN (SELECT l.token || '@' || (date_part('epoch', pg_postmaster_start_time()) * 1000000)::bigint FROM tide.server_life l);
END
$body$;

-- The life of the server, begun if none has.
CREATE FUNCTION tide.begin_life() RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF tide.life() IS NULL THEN
    INSERT INTO tide.server_life (token) VALUES (gen_random_uuid()::text) ON CONFLICT (one) DO NOTHING;
  END IF;
  RETURN tide.life();
END
$body$;
