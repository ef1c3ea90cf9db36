-- Publishing. `tide.outbox_publish(name, …)` runs with the rights of its caller and hands on to the outbox's own function
-- `tide.publish_<number>`, which runs with the rights of the schema's owner. PostgreSQL itself thus checks who may publish where,
-- also after SET ROLE and inside other functions: a definer function cannot know its caller.
--
-- `tide.outbox` shows each role only the outboxes it has a right on (row-level security, 000009), so an unknown outbox and one
-- that is not allowed are one error.

-- The SQLSTATE and text of a message that is refused. Not part of the hot path: called only when something is wrong.
CREATE FUNCTION tide.refuse_message(
  p_outbox tide.outbox, p_element integer, p_payload jsonb, p_op text, p_headers jsonb, p_bytes integer
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_action text := format('Cannot publish to outbox "%s"', p_outbox.name)
    || CASE WHEN p_element IS NULL THEN '' ELSE format(', message %s of the array', p_element) END;
BEGIN
  IF NOT p_outbox.enabled THEN
    RAISE EXCEPTION USING ERRCODE = 'TD002', MESSAGE = v_action || ': the outbox is disabled',
      HINT = format('Enable it with SELECT tide.outbox_enable(%L).', p_outbox.name);
  ELSIF p_payload IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD003', MESSAGE = v_action || ': the payload is NULL, expected a jsonb value',
      HINT = 'For a message without content publish the JSON value ''null''::jsonb.';
  ELSIF p_op IS NULL OR p_op NOT IN ('insert', 'update', 'delete', 'read', 'truncate') THEN
    RAISE EXCEPTION USING ERRCODE = 'TD004',
      MESSAGE = format('%s: op is %s, expected insert, update, delete, read or truncate', v_action,
        coalesce(quote_literal(left(p_op, 100)), 'NULL')),
      HINT = 'Leave p_op out for an insert.';
  ELSIF p_headers IS NOT NULL AND (jsonb_typeof(p_headers) <> 'object'
      OR jsonb_path_exists(p_headers, 'strict $.* ? (@.type() != "string")')) THEN
    RAISE EXCEPTION USING ERRCODE = 'TD005',
      MESSAGE = format('%s: headers are %s, expected an object of strings', v_action,
        CASE jsonb_typeof(p_headers) WHEN 'object' THEN 'an object with a member that is not a string'
          ELSE 'of type ' || jsonb_typeof(p_headers) END),
      HINT = 'Write every header''s value as a string: {"attempt": "1"}.';
  ELSE
    RAISE EXCEPTION USING ERRCODE = 'TD006',
      MESSAGE = format('%s: the message has %s bytes as text, expected at most %s', v_action, p_bytes,
        p_outbox.max_message_bytes),
      HINT = 'Publish a reference to the data instead, or create the outbox with a larger max_message_bytes.';
  END IF;
END
$body$;

-- The functions of one outbox that publish. Replaced as a whole by later migrations, for every outbox.
CREATE FUNCTION tide.create_publish_functions(p_number integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
  EXECUTE replace($template$
-- Returns the message's id. `p_element` is the place in an array of messages, for errors.
CREATE OR REPLACE FUNCTION tide.publish_<n>(
  p_payload jsonb, p_dedup_key text, p_op text, p_headers jsonb, p_previous jsonb, p_element integer
) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_outbox tide.outbox;
  v_op "char" := CASE p_op WHEN 'insert' THEN 'i' WHEN 'update' THEN 'u' WHEN 'delete' THEN 'd'
    WHEN 'read' THEN 'r' WHEN 'truncate' THEN 't' END;
  v_payload text := p_payload::text;
  v_headers text := p_headers::text;
  v_previous text := p_previous::text;
  v_bytes integer := octet_length(v_payload) + coalesce(octet_length(v_headers), 0)
    + coalesce(octet_length(v_previous), 0) + coalesce(octet_length(p_dedup_key), 0);
  v_now timestamptz := clock_timestamp();
  v_xid xid8;
  v_id bigint;
BEGIN
  SELECT * INTO v_outbox FROM tide.outbox o WHERE o.number = <n>;
  IF (v_outbox.enabled AND v_op IS NOT NULL AND v_bytes <= v_outbox.max_message_bytes AND (p_headers IS NULL
      OR jsonb_typeof(p_headers) = 'object'
      AND NOT jsonb_path_exists(p_headers, 'strict $.* ? (@.type() != "string")'))) IS NOT TRUE THEN
    PERFORM tide.refuse_message(v_outbox, p_element, p_payload, p_op, p_headers, v_bytes);
  END IF;
  -- The transaction's id is drawn before the message's: readers rely on that order.
  v_xid := pg_current_xact_id();
  v_id := nextval('tide.id_<n>');
  -- The leaf is named, which saves the routing of the tuple.
  IF v_outbox.slot = 0 THEN
    INSERT INTO tide.message_<n>_0 (id, xid, created_at, slot, op, dedup_key, payload, headers, previous)
    VALUES (v_id, v_xid, v_now, 0, v_op, p_dedup_key, v_payload, v_headers, v_previous);
  ELSIF v_outbox.slot = 1 THEN
    INSERT INTO tide.message_<n>_1 (id, xid, created_at, slot, op, dedup_key, payload, headers, previous)
    VALUES (v_id, v_xid, v_now, 1, v_op, p_dedup_key, v_payload, v_headers, v_previous);
  ELSIF v_outbox.slot = 2 THEN
    INSERT INTO tide.message_<n>_2 (id, xid, created_at, slot, op, dedup_key, payload, headers, previous)
    VALUES (v_id, v_xid, v_now, 2, v_op, p_dedup_key, v_payload, v_headers, v_previous);
  ELSE
    INSERT INTO tide.message_<n>_3 (id, xid, created_at, slot, op, dedup_key, payload, headers, previous)
    VALUES (v_id, v_xid, v_now, 3, v_op, p_dedup_key, v_payload, v_headers, v_previous);
  END IF;
  -- A relay that waits has set a deadline; NOTIFY is expensive at commit, so it is sent only before that.
  IF pg_sequence_last_value('tide.wait_<n>') > date_part('epoch', v_now) * 1000
      AND tide.notifies(v_outbox.wakeup) THEN
    PERFORM pg_notify('tide_<n>', '');
  END IF;
  RETURN v_id;
END
$body$;

CREATE OR REPLACE FUNCTION tide.publish_many_<n>(p_messages jsonb) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_message jsonb;
  v_element integer := 0;
  v_ids bigint[] := '{}';
BEGIN
  FOR v_message IN SELECT value FROM jsonb_array_elements(p_messages) LOOP
    PERFORM tide.check_message_members(v_message, v_element);
    v_ids := v_ids || tide.publish_<n>(v_message -> 'payload', v_message ->> 'dedup_key',
      coalesce(v_message ->> 'op', 'insert'), nullif(v_message -> 'headers', 'null'),
      nullif(v_message -> 'previous', 'null'), v_element);
    v_element := v_element + 1;
  END LOOP;
  RETURN v_ids;
END
$body$;

REVOKE ALL ON FUNCTION tide.publish_<n>(jsonb, text, text, jsonb, jsonb, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION tide.publish_many_<n>(jsonb) FROM PUBLIC;
$template$, '<n>', p_number::text);
END
$create$;

-- Whether an outbox with this wake-up mode notifies. A transaction that has executed NOTIFY cannot be prepared
-- (PREPARE TRANSACTION), so `auto` notifies only where nothing can be prepared.
CREATE FUNCTION tide.notifies(p_wakeup text) RETURNS boolean LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN p_wakeup = 'notify' OR p_wakeup = 'auto' AND current_setting('max_prepared_transactions') = '0';
END
$body$;

-- Raises when an element of `outbox_publish_many` is not an object, or has a member with an unknown name.
CREATE FUNCTION tide.check_message_members(p_message jsonb, p_element integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_unknown text;
BEGIN
  IF jsonb_typeof(p_message) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = 'TD003',
      MESSAGE = format('Cannot publish message %s of the array: it is of type %s, expected an object', p_element,
        jsonb_typeof(p_message)),
      HINT = 'Each element is an object with payload and, if wanted, dedup_key, op, headers and previous.';
  END IF;
  SELECT string_agg(quote_ident(left(key, 100)), ', ') INTO v_unknown FROM jsonb_object_keys(p_message) AS key
  WHERE key NOT IN ('payload', 'dedup_key', 'op', 'headers', 'previous');
  IF v_unknown IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD003',
      MESSAGE = format('Cannot publish message %s of the array: unknown member %s', p_element, v_unknown),
      HINT = 'The members are payload, dedup_key, op, headers and previous.';
  END IF;
END
$body$;

-- Publish one message within the caller's transaction; returns its id. It is delivered if and only if the transaction commits.
CREATE FUNCTION tide.outbox_publish(
  p_outbox text, p_payload jsonb, p_dedup_key text DEFAULT NULL, p_op text DEFAULT 'insert',
  p_headers jsonb DEFAULT NULL, p_previous jsonb DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
  v_id bigint;
BEGIN
  SELECT o.number INTO v_number FROM tide.outbox o WHERE o.name = p_outbox;
  IF has_function_privilege(to_regproc('tide.publish_' || v_number), 'EXECUTE') IS NOT TRUE THEN
    PERFORM tide.refuse_outbox('publish', p_outbox);
  END IF;
  EXECUTE 'SELECT tide.publish_' || v_number || '($1, $2, $3, $4, $5, NULL)' INTO v_id
    USING p_payload, p_dedup_key, p_op, p_headers, p_previous;
  RETURN v_id;
END
$body$;

-- Publish an array of objects {payload, dedup_key, op, headers, previous} in their order; returns the ids in that order.
CREATE FUNCTION tide.outbox_publish_many(p_outbox text, p_messages jsonb) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
  v_ids bigint[];
BEGIN
  SELECT o.number INTO v_number FROM tide.outbox o WHERE o.name = p_outbox;
  IF has_function_privilege(to_regproc('tide.publish_many_' || v_number), 'EXECUTE') IS NOT TRUE THEN
    PERFORM tide.refuse_outbox('publish', p_outbox);
  END IF;
  IF jsonb_typeof(p_messages) IS DISTINCT FROM 'array' THEN
    RAISE EXCEPTION USING ERRCODE = 'TD003',
      MESSAGE = format('Cannot publish to outbox "%s": p_messages is %s, expected an array', p_outbox,
        coalesce('of type ' || jsonb_typeof(p_messages), 'NULL')),
      HINT = 'Pass a jsonb array of objects with payload, dedup_key, op, headers and previous.';
  END IF;
  EXECUTE 'SELECT tide.publish_many_' || v_number || '($1)' INTO v_ids USING p_messages;
  RETURN v_ids;
END
$body$;

-- Raises the one error for an outbox that does not exist and one that the caller has no right on.
CREATE FUNCTION tide.refuse_outbox(p_action text, p_outbox text) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'TD001',
    MESSAGE = format('Cannot %s: there is no outbox %s for role "%s"', p_action,
      coalesce('"' || left(p_outbox, 100) || '"', 'NULL'), current_user),
    HINT = CASE p_action
      WHEN 'publish' THEN 'Check the name. An administrator makes an outbox with tide.outbox_create, and lets a role publish '
        || 'to it with tide.grant_publish.'
      ELSE 'Check the name. An administrator makes an outbox with tide.outbox_create, and lets a role configure its '
        || 'pipelines with tide.grant_pipeline.' END;
END
$body$;
