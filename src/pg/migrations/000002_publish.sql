-- Publishing. `tide.outbox_publish(name, ...)` runs with the rights of its caller and hands on to the outbox's own function
-- `tide.publish_<number>`, which runs with the rights of the schema's owner. PostgreSQL itself thus checks who may publish where,
-- also after SET ROLE and inside other functions: a definer function cannot know its caller.
--
-- This is the hot path, in other people's transactions. Both functions are written by functions, with whatever rarely changes as
-- constants in their text. Measured on 14 / 18, server side, one call per transaction: a plain INSERT of such a row
-- 8.9 / 9.1 microseconds, this 24 / 22; with the settings read from a table and a call by dynamic SQL 67 / 53.

-- The SQLSTATE and text of a message that is refused. Called only when something is wrong.
CREATE FUNCTION tide.refuse_message(
  p_number integer, p_element integer, p_payload jsonb, p_op text, p_headers jsonb, p_bytes bigint
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_outbox tide.outbox;
  v_action text;
BEGIN
  SELECT * INTO v_outbox FROM tide.outbox o WHERE o.number = p_number;
  v_action := format('Cannot publish to outbox "%s"', v_outbox.name)
    || CASE WHEN p_element IS NULL THEN '' ELSE format(', message %s of the array', p_element) END;
  IF p_payload IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD003', MESSAGE = v_action || ': the payload is NULL, expected a jsonb value',
      HINT = 'For a message without content publish the JSON value ''null''::jsonb.';
  ELSIF p_op IS NULL OR p_op NOT IN ('insert', 'update', 'delete', 'read', 'truncate') THEN
    RAISE EXCEPTION USING ERRCODE = 'TD004',
      MESSAGE = format('%s: op is %s, expected insert, update, delete, read or truncate', v_action,
        coalesce(quote_literal(left(p_op, 100)), 'NULL')),
      HINT = 'Leave p_op out for an insert.';
  ELSIF p_headers IS NOT NULL AND tide.are_headers(p_headers) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'TD005',
      MESSAGE = format('%s: headers are %s, expected an object of strings', v_action,
        CASE jsonb_typeof(p_headers) WHEN 'object' THEN 'an object with a member that is not a string'
          ELSE 'of type ' || jsonb_typeof(p_headers) END),
      HINT = 'Write every header''s value as a string: {"attempt": "1"}.';
  ELSIF p_bytes > v_outbox.max_message_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'TD006',
      MESSAGE = format('%s: the message has %s bytes as text, expected at most %s', v_action, p_bytes,
        v_outbox.max_message_bytes),
      HINT = 'Publish a reference to the data instead, or use an outbox with a larger max_message_bytes.';
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'TD002', MESSAGE = v_action || ': the outbox is disabled',
    HINT = format('An administrator enables it with SELECT tide.outbox_enable(%L).', v_outbox.name);
END
$body$;

-- Whether a value is an object of strings.
CREATE FUNCTION tide.are_headers(p_headers jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN jsonb_typeof(p_headers) = 'object'
    AND NOT jsonb_path_exists(p_headers, 'strict $.* ? (@.type() != "string")');
END
$body$;

-- Functions are replaced, granted and revoked by one transaction at a time: PostgreSQL would fail with "tuple concurrently
-- updated". The installation takes the same lock.
CREATE FUNCTION tide.lock_functions() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM pg_advisory_xact_lock(1414087749, 0);
END
$body$;

-- Write the functions of one outbox that publish: when it is made, and again when its settings change.
CREATE FUNCTION tide.create_publish_functions(p_number integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $create$
DECLARE
  v_outbox tide.outbox;
  v_text text := $template$
-- Returns the message's id. `p_element` is the place in an array of messages, for errors.
CREATE OR REPLACE FUNCTION tide.publish_<n>(
  p_payload jsonb, p_dedup_key text, p_op text, p_headers jsonb, p_previous jsonb, p_element integer
) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_payload text := p_payload::text;
  v_headers text;
  v_previous text;
  v_id bigint;
BEGIN
  -- What is rare stands in blocks of its own: PostgreSQL prepares each expression anew in every transaction, whole.
  IF p_headers IS NOT NULL OR p_previous IS NOT NULL THEN
    v_headers := p_headers::text;
    v_previous := p_previous::text;
    IF p_headers IS NOT NULL AND tide.are_headers(p_headers) IS NOT TRUE THEN
      PERFORM tide.refuse_message(<n>, p_element, p_payload, p_op, p_headers, 0);
    END IF;
  END IF;
  IF (<enabled> AND p_op IN ('insert', 'update', 'delete', 'read', 'truncate')
      AND octet_length(v_payload)::bigint + coalesce(octet_length(p_dedup_key), 0) + coalesce(octet_length(v_headers), 0)
        + coalesce(octet_length(v_previous), 0) <= <max_message_bytes>) IS NOT TRUE THEN
    PERFORM tide.refuse_message(<n>, p_element, p_payload, p_op, p_headers, octet_length(v_payload)::bigint
      + coalesce(octet_length(p_dedup_key), 0) + coalesce(octet_length(v_headers), 0) + coalesce(octet_length(v_previous), 0));
  END IF;
  -- The transaction's id is drawn before the message's: readers rely on that order. `op` keeps the first letter.
  INSERT INTO tide.message_<n> AS m (id, xid, created_at, slot, op, dedup_key, payload, headers, previous)
  VALUES (CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('tide.id_<n>') END, pg_current_xact_id(), clock_timestamp(),
    pg_sequence_last_value('tide.slot_<n>'), p_op::"char", p_dedup_key, v_payload, v_headers, v_previous)
  RETURNING m.id INTO v_id;<notify>
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
$template$;
  v_notify text := $template$
  -- A relay that waits has set a deadline; NOTIFY is expensive at commit, so it is sent only before that.
  IF pg_sequence_last_value('tide.wait_<n>') > date_part('epoch', clock_timestamp()) * 1000 THEN
    IF tide.notifies('<wakeup>') THEN
      PERFORM pg_notify('tide_<n>', '');
    END IF;
  END IF;$template$;
BEGIN
  SELECT * INTO v_outbox FROM tide.outbox o WHERE o.number = p_number;
  v_text := replace(v_text, '<notify>', CASE v_outbox.wakeup WHEN 'poll' THEN '' ELSE v_notify END);
  v_text := replace(v_text, '<wakeup>', v_outbox.wakeup);
  v_text := replace(v_text, '<enabled>', v_outbox.enabled::text);
  v_text := replace(v_text, '<max_message_bytes>', v_outbox.max_message_bytes::text);
  EXECUTE replace(v_text, '<n>', p_number::text);
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

-- Raises when an element of `outbox_publish_many` is not an object, or has a member with an unknown name or a key that is not a
-- string.
CREATE FUNCTION tide.check_message_members(p_message jsonb, p_element integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_problem text;
BEGIN
  IF jsonb_typeof(p_message) <> 'object' THEN
    v_problem := format('it is of type %s, expected an object', jsonb_typeof(p_message));
  ELSE
    SELECT string_agg(CASE
      WHEN m.key NOT IN ('payload', 'dedup_key', 'op', 'headers', 'previous') THEN
        'unknown member ' || quote_ident(left(m.key, 100))
      WHEN m.key IN ('dedup_key', 'op') AND jsonb_typeof(m.value) NOT IN ('string', 'null') THEN
        format('%s is of type %s, expected a string', m.key, jsonb_typeof(m.value)) END, ', ' ORDER BY m.key)
    INTO v_problem FROM jsonb_each(p_message) AS m;
  END IF;
  IF v_problem IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD003',
      MESSAGE = format('Cannot publish message %s of the array: %s', p_element, v_problem),
      HINT = 'Each element is an object with payload and, if wanted, dedup_key, op, headers and previous.';
  END IF;
END
$body$;

-- Write `tide.outbox_publish` for the outboxes that there are: a search among their names, and a call. Dynamic SQL would be parsed
-- and planned in every call, and a look at `tide.outbox` go through row-level security: three times the cost of the INSERT.
CREATE FUNCTION tide.create_dispatcher() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $create$
DECLARE
  v_numbers integer[];
  v_names text[];
BEGIN
  PERFORM tide.lock_functions();
  UPDATE tide.directory SET changes = changes + 1;
  SELECT array_agg(o.number ORDER BY o.name COLLATE "C"), array_agg(o.name ORDER BY o.name COLLATE "C")
  INTO v_numbers, v_names FROM tide.outbox o WHERE o.name IS NOT NULL;
  EXECUTE replace($template$
-- Publish one message within the caller's transaction; returns its id. It is delivered if and only if the transaction commits.
CREATE OR REPLACE FUNCTION tide.outbox_publish(
  p_outbox text, p_payload jsonb, p_dedup_key text DEFAULT NULL, p_op text DEFAULT 'insert',
  p_headers jsonb DEFAULT NULL, p_previous jsonb DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  -- Written by tide.create_dispatcher().<search>
  PERFORM tide.refuse_outbox('publish', p_outbox);
END
$body$;
REVOKE ALL ON FUNCTION tide.outbox_publish(text, jsonb, text, text, jsonb, jsonb) FROM PUBLIC;
$template$, '<search>', tide.dispatcher_search(v_names, v_numbers, 1, coalesce(cardinality(v_names), 0)));
END
$create$;

-- The search among the names from p_first to p_last, which are sorted, by halves. The right is looked at in every call, because
-- PostgreSQL does so only once in a transaction, and SET ROLE may come after that.
CREATE FUNCTION tide.dispatcher_search(p_names text[], p_numbers integer[], p_first integer, p_last integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $create$
DECLARE
  v_middle integer := (p_first + p_last + 1) / 2;
BEGIN
  IF p_first > p_last THEN
    RETURN '';
  ELSIF p_first = p_last THEN
    RETURN replace(format($template$
  IF p_outbox = %L AND has_function_privilege('tide.publish_<n>'::regproc, 'EXECUTE') THEN
    RETURN tide.publish_<n>(p_payload, p_dedup_key, p_op, p_headers, p_previous, NULL);
  END IF;$template$, p_names[p_first]), '<n>', p_numbers[p_first]::text);
  END IF;
  RETURN format(E'\n  IF p_outbox COLLATE "C" < %L THEN', p_names[v_middle])
    || tide.dispatcher_search(p_names, p_numbers, p_first, v_middle - 1) || E'\n  ELSE'
    || tide.dispatcher_search(p_names, p_numbers, v_middle, p_last) || E'\n  END IF;';
END
$create$;

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

SELECT tide.create_dispatcher();
