-- Outboxes: make, enable, disable, drop, list.

-- One advisory transaction lock per outbox for everything that changes its tables or groups. Locks are always taken in
-- this order: this one, functions, directory, pipelines, slots.
CREATE FUNCTION tide.lock_outbox(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM pg_advisory_xact_lock(1414087749, p_number);
END
$body$;

-- The number of an outbox, for functions that run with the rights of the schema's owner.
CREATE FUNCTION tide.outbox_number(p_action text, p_name text) RETURNS integer LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
BEGIN
  SELECT o.number INTO v_number FROM tide.outbox o WHERE o.name = p_name;
  IF v_number IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD001',
      MESSAGE = format('Cannot %s: there is no outbox %s', p_action, coalesce('"' || left(p_name, 100) || '"', 'NULL')),
      HINT = 'SELECT * FROM tide.outbox_list() shows the outboxes.';
  END IF;
  RETURN v_number;
END
$body$;

-- Make an outbox: where applications publish and pipelines read. Messages are kept for `retention_hours` after they were published, and longer if a
-- pipeline has not delivered them. `wakeup` says how a waiting relay learns of a message: `notify`, `poll`, or `auto`, which
-- is `notify` unless the server allows prepared transactions. `max_message_bytes` bounds payload, previous row, headers and key together.
CREATE FUNCTION tide.outbox_create(
  p_name text, retention_hours integer DEFAULT 24, wakeup text DEFAULT 'auto', max_message_bytes integer DEFAULT 16777216
) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
BEGIN
  PERFORM tide.check_outbox_arguments(p_name, retention_hours, wakeup, max_message_bytes);
  INSERT INTO tide.outbox AS o (name, incarnation, retention_hours, wakeup, max_message_bytes)
  VALUES (p_name, tide.new_incarnation(), outbox_create.retention_hours, outbox_create.wakeup,
    outbox_create.max_message_bytes)
  ON CONFLICT (name) DO NOTHING RETURNING o.number INTO v_number;
  IF v_number IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD010',
      MESSAGE = format('Cannot create outbox "%s": there is one with this name already', p_name),
      HINT = 'Choose another name, or go on with the outbox that is there.';
  END IF;
  PERFORM tide.create_message_table(v_number);
  PERFORM tide.create_outbox_functions(v_number);
  PERFORM tide.create_dispatcher();
END
$body$;

CREATE FUNCTION tide.check_outbox_arguments(p_name text, p_retention integer, p_wakeup text, p_bytes integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_problem text := CASE
    WHEN p_name IS NULL OR p_name !~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$' THEN
      'the name must be 1 to 63 letters, digits and _ . - and must not start with . or -'
    WHEN p_retention IS NULL OR p_retention NOT BETWEEN 1 AND 876000 THEN
      format('retention_hours is %s, expected 1 to 876000', coalesce(p_retention::text, 'NULL'))
    WHEN p_wakeup IS NULL OR p_wakeup NOT IN ('auto', 'notify', 'poll') THEN
      format('wakeup is %s, expected auto, notify or poll', coalesce(quote_literal(left(p_wakeup, 100)), 'NULL'))
    WHEN p_bytes IS NULL OR p_bytes NOT BETWEEN 1 AND 536870912 THEN
      format('max_message_bytes is %s, expected 1 to 536870912', coalesce(p_bytes::text, 'NULL')) END;
BEGIN
  IF v_problem IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD011',
      MESSAGE = format('Cannot create outbox %s: %s', coalesce('"' || left(p_name, 100) || '"', 'NULL'), v_problem),
      HINT = 'For example: SELECT tide.outbox_create(''orders'', retention_hours => 48).';
  END IF;
END
$body$;

CREATE FUNCTION tide.new_incarnation() RETURNS text LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN left(replace(gen_random_uuid()::text, '-', ''), 8);
END
$body$;

-- The table of an outbox, in four slots that are emptied whole, and its sequences: ids, the slot that is written to, and until when
-- relays want to be notified (milliseconds since 1970). Slots are insert-only: autovacuum has nothing to do there (but for
-- wraparound, which comes anyway), and would hold the lock that rotation wants.
CREATE FUNCTION tide.create_message_table(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  EXECUTE format('CREATE TABLE tide.message_%s (id bigint NOT NULL, xid xid8 NOT NULL, created_at timestamptz NOT NULL, '
    'slot smallint NOT NULL, op "char" NOT NULL, dedup_key text, payload text NOT NULL, headers text, previous text) '
    'PARTITION BY LIST (slot)', p_number);
  FOR v_slot IN 0..3 LOOP
    EXECUTE format('CREATE TABLE tide.message_%1$s_%2$s PARTITION OF tide.message_%1$s FOR VALUES IN (%2$s) '
      'WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false)', p_number, v_slot);
  END LOOP;
  EXECUTE format('CREATE INDEX ON tide.message_%s (id)', p_number);
  EXECUTE format('CREATE INDEX ON tide.message_%s (xid, id)', p_number);
  EXECUTE format('CREATE SEQUENCE tide.id_%s MAXVALUE 9007199254740991', p_number);
  EXECUTE format('CREATE SEQUENCE tide.slot_%s MINVALUE 0 MAXVALUE 3', p_number);
  EXECUTE format('CREATE SEQUENCE tide.wait_%s', p_number);
  PERFORM setval(format('tide.slot_%s', p_number)::regclass, 0);
END
$body$;

-- All functions of one outbox, and the rights on them of every role that has rights on all outboxes. A later migration
-- that changes them replaces a template and calls this for each outbox.
CREATE FUNCTION tide.create_outbox_functions(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.create_publish_functions(p_number);
  PERFORM tide.create_read_functions(p_number);
  PERFORM tide.create_lag_function(p_number);
  PERFORM tide.create_status_function(p_number);
  PERFORM tide.create_pipeline_function(p_number);
  PERFORM tide.grant_new_outbox(p_number);
END
$body$;

-- Let an outbox take messages again.
CREATE FUNCTION tide.outbox_enable(p_name text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.switch_outbox(tide.outbox_number('enable an outbox', p_name), true);
END
$body$;

-- Refuse new messages with an error, at the latest in transactions that begin afterwards. What is published already is still delivered.
CREATE FUNCTION tide.outbox_disable(p_name text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.switch_outbox(tide.outbox_number('disable an outbox', p_name), false);
END
$body$;

CREATE FUNCTION tide.switch_outbox(p_number integer, p_enabled boolean) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.lock_outbox(p_number);
  PERFORM tide.lock_functions();
  UPDATE tide.outbox SET enabled = p_enabled WHERE number = p_number AND name IS NOT NULL;
  IF FOUND THEN
    PERFORM tide.create_publish_functions(p_number);
  END IF;
END
$body$;

-- Drop an outbox with all its messages. Its pipelines must be deleted first. The name is free at once, and nobody can publish any
-- more; the tables go as soon as no transaction holds them, here or in the next `tide.outbox_rotate`. Never waits for publishers or
-- relays.
CREATE FUNCTION tide.outbox_drop(p_name text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer := tide.outbox_number('drop an outbox', p_name);
  v_pipelines text;
BEGIN
  PERFORM tide.lock_outbox(v_number);
  SELECT string_agg(quote_literal(p.name), ', ' ORDER BY p.name) INTO v_pipelines FROM tide.pipeline p
  WHERE p.outbox_number = v_number;
  IF v_pipelines IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD012',
      MESSAGE = format('Cannot drop outbox "%s": it has pipelines: %s', p_name, v_pipelines),
      HINT = 'Delete them first with tide.relay_delete(pipeline).';
  END IF;
  UPDATE tide.outbox SET name = NULL, enabled = false WHERE number = v_number;
  PERFORM tide.create_dispatcher();
  PERFORM tide.revoke_outbox(v_number);
  PERFORM tide.remove_dropped(v_number);
END
$body$;

-- Remove what is left of a dropped outbox; false when some transaction still holds one of its tables.
CREATE FUNCTION tide.remove_dropped(p_number integer) RETURNS boolean LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_function regprocedure;
BEGIN
  BEGIN
    EXECUTE format('LOCK TABLE tide.message_%s IN ACCESS EXCLUSIVE MODE NOWAIT', p_number);
  EXCEPTION WHEN lock_not_available THEN
    RETURN false;
  END;
  EXECUTE format('DROP TABLE tide.message_%s', p_number);
  EXECUTE format('DROP SEQUENCE tide.id_%1$s, tide.slot_%1$s, tide.wait_%1$s', p_number);
  FOR v_function IN SELECT f.oid::regprocedure FROM tide.outbox_functions(p_number) f LOOP
    EXECUTE format('DROP FUNCTION %s', v_function);
  END LOOP;
  DELETE FROM tide.outbox WHERE number = p_number;
  RETURN true;
END
$body$;

-- The functions of one outbox: `tide.<word>_<number>`.
CREATE FUNCTION tide.outbox_functions(p_number integer) RETURNS TABLE (oid oid, name text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT p.oid, p.proname::text FROM pg_proc p
  WHERE p.pronamespace = 'tide'::regnamespace AND p.proname ~ ('^(publish|publish_many|read_run|read_stragglers|lag|status|pipeline)_'
    || p_number || '$');
END
$body$;

-- The outboxes that the caller has a right on.
CREATE FUNCTION tide.outbox_list() RETURNS TABLE (
  name text, enabled boolean, retention_hours integer, wakeup text, max_message_bytes integer, created_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT o.name, o.enabled, o.retention_hours, o.wakeup, o.max_message_bytes, o.created_at
  FROM tide.outbox o WHERE o.name IS NOT NULL ORDER BY o.name;
END
$body$;
