-- Rotation: an outbox has four slots. Publishing writes to the current one; readers merge all four by id and assume no order between
-- slots (a publisher may read the pointer just before it moves). A slot is emptied by TRUNCATE when its newest message is past
-- retention and every pipeline of the outbox, enabled or not, has delivered all of it. Nothing else ever deletes a message. Rotation
-- never queues for a lock: NOWAIT, and again at the next call.

-- The pipelines of an outbox that have not delivered all of a slot. A slot is delivered when all its transactions are
-- visible in the lower mark of the saved window; in the run of the window also when all of them are visible in the upper
-- mark and no id is above the position; among the stragglers when each message not visible in the lower mark is visible in the upper one and
-- not above the position. `max(xid) < xmin` instead would let one long transaction keep every slot.
CREATE FUNCTION tide.undelivered_pipelines(p_number integer, p_slot integer) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $body$
DECLARE
  -- Whether there is a message of a transaction that is not visible in $1, and for which %2$s.
  v_exists constant text := 'SELECT EXISTS (SELECT FROM tide.message_%1$s m WHERE m.xid >= pg_snapshot_xmax($1) AND %2$s) OR '
    'EXISTS (SELECT FROM tide.message_%1$s m WHERE m.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1))) AND %2$s)';
  v_leaf constant text := p_number || '_' || p_slot;
  v_name text;
  v_at record;
  v_open boolean;
  v_names text[] := '{}';
BEGIN
  FOR v_name IN SELECT p.name FROM tide.pipeline p WHERE p.outbox_number = p_number ORDER BY p.name LOOP
    v_at := tide.saved_position(v_name);
    EXECUTE format(v_exists, v_leaf, 'true') INTO v_open USING v_at.lower_snapshot;
    IF v_open AND v_at.phase = 'run' THEN
      EXECUTE format(v_exists || ' OR (SELECT max(m.id) FROM tide.message_%1$s m) > $2', v_leaf, 'true')
      INTO v_open USING v_at.upper_snapshot, v_at.last_id;
    ELSIF v_open THEN
      EXECUTE format(v_exists, v_leaf, 'NOT (m.id + 0 <= $2 AND pg_visible_in_snapshot(m.xid, $3))')
      INTO v_open USING v_at.lower_snapshot, v_at.last_id, v_at.upper_snapshot;
    END IF;
    IF v_open THEN
      v_names := v_names || v_name;
    END IF;
  END LOOP;
  RETURN v_names;
END
$body$;

-- When the oldest and newest messages of a slot were published; NULL when it is empty.
CREATE FUNCTION tide.slot_times(p_number integer, p_slot integer, OUT oldest timestamptz, OUT newest timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $body$
BEGIN
  EXECUTE format('SELECT (SELECT created_at FROM tide.message_%1$s_%2$s ORDER BY id LIMIT 1), '
    '(SELECT created_at FROM tide.message_%1$s_%2$s ORDER BY id DESC LIMIT 1)', p_number, p_slot) INTO oldest, newest;
END
$body$;

-- What keeps a slot that is not the current one: NULL when it may be emptied, else one of `empty`, `retention`,
-- `undelivered`. Always a fresh look, because it decides again under the lock.
CREATE FUNCTION tide.slot_keeper(p_number integer, p_slot integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_hours integer;
  v_newest timestamptz;
BEGIN
  SELECT o.retention_hours INTO v_hours FROM tide.outbox o WHERE o.number = p_number;
  SELECT t.newest INTO v_newest FROM tide.slot_times(p_number, p_slot) t;
  IF v_newest IS NULL THEN
    RETURN 'empty';
  ELSIF v_newest >= clock_timestamp() - make_interval(hours => v_hours) THEN
    RETURN 'retention';
  ELSIF tide.undelivered_pipelines(p_number, p_slot) <> '{}' THEN
    RETURN 'undelivered';
  END IF;
  RETURN NULL;
END
$body$;

-- Empty a slot if nothing keeps it; returns `truncated`, `held` when a transaction uses it, or what keeps it.
CREATE FUNCTION tide.truncate_slot(p_number integer, p_slot integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_keeper text := tide.slot_keeper(p_number, p_slot);
BEGIN
  IF v_keeper IS NOT NULL THEN
    RETURN v_keeper;
  END IF;
  -- Publishers that have not ended, prepared ones too, hold a lock on the slot: this refuses then.
  BEGIN
    EXECUTE format('LOCK TABLE tide.message_%s_%s IN ACCESS EXCLUSIVE MODE NOWAIT', p_number, p_slot);
  EXCEPTION WHEN lock_not_available THEN
    RETURN 'held';
  END;
  v_keeper := tide.slot_keeper(p_number, p_slot);
  IF v_keeper IS NOT NULL THEN
    RETURN v_keeper;
  END IF;
  EXECUTE format('TRUNCATE tide.message_%s_%s', p_number, p_slot);
  RETURN 'truncated';
END
$body$;

-- The slot that is written to.
CREATE FUNCTION tide.current_slot(p_number integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN pg_sequence_last_value(format('tide.slot_%s', p_number)::regclass);
END
$body$;

-- Move the pointer to an empty slot when the current one is old enough; returns the new slot, or NULL. Publishers see it at
-- once, so that it must not be a slot that this transaction has emptied and still locks.
CREATE FUNCTION tide.advance_slot(p_number integer, p_slot integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_hours integer;
  v_oldest timestamptz;
BEGIN
  SELECT o.retention_hours INTO v_hours FROM tide.outbox o WHERE o.number = p_number;
  SELECT t.oldest INTO v_oldest FROM tide.slot_times(p_number, p_slot) t;
  IF v_oldest IS NULL OR v_oldest >= clock_timestamp() - greatest(make_interval(hours => v_hours) / 3, interval '1 hour') THEN
    RETURN NULL;
  END IF;
  FOR v_step IN 1..3 LOOP
    SELECT t.oldest INTO v_oldest FROM tide.slot_times(p_number, (p_slot + v_step) % 4) t;
    IF v_oldest IS NULL THEN
      RETURN setval(format('tide.slot_%s', p_number)::regclass, (p_slot + v_step) % 4);
    END IF;
  END LOOP;
  RETURN NULL;
END
$body$;

-- Rotate one outbox; see `tide.outbox_rotate`.
CREATE FUNCTION tide.rotate_one(p_number integer) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_outbox tide.outbox;
  v_current integer;
  v_next integer;
  v_slots jsonb := '{}';
BEGIN
  IF NOT pg_try_advisory_xact_lock(1414087749, p_number) THEN
    RETURN jsonb_build_object('busy', true);
  END IF;
  SELECT * INTO v_outbox FROM tide.outbox o WHERE o.number = p_number;
  IF v_outbox.number IS NULL THEN
    RETURN jsonb_build_object('removed', true);
  ELSIF v_outbox.name IS NULL THEN
    RETURN jsonb_build_object('removed', tide.remove_dropped(p_number));
  END IF;
  -- No group may appear, move back or go away while slots are judged.
  BEGIN
    PERFORM FROM tide.pipeline p WHERE p.outbox_number = p_number ORDER BY p.name FOR SHARE NOWAIT;
  EXCEPTION WHEN lock_not_available THEN
    RETURN jsonb_build_object('outbox', v_outbox.name, 'busy', true);
  END;
  v_current := tide.current_slot(p_number);
  v_next := tide.advance_slot(p_number, v_current);
  -- The slot that was current a moment ago may still be on its way to a publisher, who must not wait: next time.
  FOR v_slot IN 0..3 LOOP
    v_slots := v_slots || jsonb_build_object(v_slot::text,
      CASE v_slot WHEN v_next THEN 'empty' WHEN v_current THEN 'current' ELSE tide.truncate_slot(p_number, v_slot) END);
  END LOOP;
  RETURN jsonb_build_object('outbox', v_outbox.name, 'slots', v_slots, 'advanced_to', v_next);
END
$body$;

-- Rotate one outbox, or all of them. Run by relays, and callable by pg_cron. Returns an array with one object per outbox: `outbox`,
-- `slots` (for each what happened: current, empty, retention, undelivered, held, truncated), `advanced_to`; `busy` when
-- another transaction changes the outbox; `removed` for what is left of a dropped one.
CREATE FUNCTION tide.outbox_rotate(p_outbox text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
  v_done jsonb := '[]';
BEGIN
  -- With an older snapshot the second look under the lock would miss a message that committed while it waited, and drop it.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'TD040',
      MESSAGE = format('Cannot rotate: the transaction is %s, expected read committed',
        current_setting('transaction_isolation')),
      HINT = 'Start the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.';
  END IF;
  IF p_outbox IS NOT NULL THEN
    RETURN jsonb_build_array(tide.rotate_one(tide.outbox_number('rotate', p_outbox)));
  END IF;
  FOR v_number IN SELECT o.number FROM tide.outbox o ORDER BY o.number LOOP
    v_done := v_done || tide.rotate_one(v_number);
  END LOOP;
  RETURN v_done;
END
$body$;

-- `tide.status_<number>()` tells the state of an outbox: settings, the last id, its slots with their age and size, since when an
-- emptying is due, and what it waits for (pipelines that have not delivered a slot, sessions that hold one).
CREATE FUNCTION tide.create_status_function(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
  EXECUTE replace($template$
CREATE OR REPLACE FUNCTION tide.status_<n>() RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN tide.outbox_figures(<n>);
END
$body$;
REVOKE ALL ON FUNCTION tide.status_<n>() FROM PUBLIC;$template$, '<n>', p_number::text);
END
$create$;

-- The state of an outbox that the caller may configure; see `tide.status_<number>`.
CREATE FUNCTION tide.outbox_status(p_name text) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
  v_status jsonb;
BEGIN
  SELECT o.number INTO v_number FROM tide.outbox o WHERE o.name = p_name;
  IF has_function_privilege(to_regproc('tide.status_' || v_number), 'EXECUTE') IS NOT TRUE THEN
    PERFORM tide.refuse_outbox('show an outbox', p_name);
  END IF;
  EXECUTE 'SELECT tide.status_' || v_number || '()' INTO v_status;
  RETURN v_status;
END
$body$;

CREATE FUNCTION tide.outbox_figures(p_number integer) RETURNS jsonb LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_outbox tide.outbox;
  v_current integer := tide.current_slot(p_number);
  v_slots jsonb;
  v_due timestamptz;
BEGIN
  SELECT * INTO v_outbox FROM tide.outbox o WHERE o.number = p_number;
  SELECT jsonb_agg(jsonb_build_object('slot', s, 'current', s = v_current, 'oldest', t.oldest, 'newest', t.newest,
      'bytes', pg_total_relation_size(format('tide.message_%s_%s', p_number, s)::regclass)) ORDER BY s),
    min(t.newest + make_interval(hours => v_outbox.retention_hours)) FILTER (WHERE s <> v_current)
  INTO v_slots, v_due FROM generate_series(0, 3) s, LATERAL tide.slot_times(p_number, s) t;
  IF v_due > clock_timestamp() THEN
    v_due := NULL;
  END IF;
  RETURN jsonb_build_object('name', v_outbox.name, 'enabled', v_outbox.enabled,
    'retention_hours', v_outbox.retention_hours, 'wakeup', v_outbox.wakeup,
    'max_message_bytes', v_outbox.max_message_bytes, 'incarnation', v_outbox.incarnation, 'slots', v_slots,
    'last_id', coalesce(pg_sequence_last_value(format('tide.id_%s', p_number)::regclass), 0),
    'rotation_due_since', v_due, 'waits_for', CASE WHEN v_due IS NOT NULL THEN tide.slot_holders(p_number, v_current) END);
END
$body$;

-- Who keeps the slots of an outbox that are past retention: pipelines by name, sessions by process id.
CREATE FUNCTION tide.slot_holders(p_number integer, p_current integer) RETURNS jsonb LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_pipelines text[] := '{}';
  v_sessions integer[] := '{}';
BEGIN
  FOR v_slot IN 0..3 LOOP
    IF v_slot <> p_current AND tide.slot_keeper(p_number, v_slot) = 'undelivered' THEN
      v_pipelines := v_pipelines || tide.undelivered_pipelines(p_number, v_slot);
    END IF;
  END LOOP;
  -- A transaction that was prepared holds its locks without a process; it is shown as 0.
  SELECT array_agg(DISTINCT coalesce(l.pid, 0)) INTO v_sessions FROM pg_locks l
  JOIN generate_series(0, 3) s ON s <> p_current AND l.relation = format('tide.message_%s_%s', p_number, s)::regclass
  WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND l.pid IS DISTINCT FROM pg_backend_pid();
  RETURN jsonb_build_object('pipelines', (SELECT coalesce(jsonb_agg(DISTINCT n), '[]') FROM unnest(v_pipelines) n),
    'sessions', coalesce(to_jsonb(v_sessions), '[]'));
END
$body$;
