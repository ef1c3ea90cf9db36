-- Pipelines: which outbox goes where, for which consumer group. The functions that users call run with the caller's rights and hand
-- on to `tide.pipeline_<number>` of the outbox, so that PostgreSQL checks who may point an outbox at a sink: whoever may,
-- can read it.

CREATE FUNCTION tide.create_pipeline_function(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
  EXECUTE replace($template$
CREATE OR REPLACE FUNCTION tide.pipeline_<n>(p_action text, p_name text, p_group text, p_config jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF p_action = 'set' THEN
    RETURN tide.set_pipeline(<n>, p_name, p_group, p_config);
  END IF;
  RETURN tide.change_pipeline(<n>, p_action, p_name);
END
$body$;
REVOKE ALL ON FUNCTION tide.pipeline_<n>(text, text, text, jsonb) FROM PUBLIC;$template$, '<n>', p_number::text);
END
$create$;

-- Create or change a pipeline of an outbox; returns whether it is new.
CREATE FUNCTION tide.set_pipeline(p_number integer, p_name text, p_group text, p_config jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_old tide.pipeline;
  v_taken text;
BEGIN
  PERFORM tide.check_pipeline_arguments(p_name, p_group, p_config);
  PERFORM tide.lock_outbox(p_number);
  SELECT * INTO v_old FROM tide.pipeline p WHERE p.name = p_name FOR UPDATE;
  IF v_old.outbox_number <> p_number OR v_old.consumer_group <> p_group THEN
    RAISE EXCEPTION USING ERRCODE = 'TD023',
      MESSAGE = format('Cannot set pipeline "%s": it exists with another outbox or consumer group', p_name),
      HINT = 'Its position belongs to them. Use another pipeline name, or delete this one first with tide.relay_delete.';
  END IF;
  SELECT p.name INTO v_taken FROM tide.pipeline p
  WHERE p.outbox_number = p_number AND p.consumer_group = p_group AND p.name <> p_name;
  IF v_taken IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'TD022',
      MESSAGE = format('Cannot set pipeline "%s": consumer group "%s" of this outbox belongs to pipeline "%s"', p_name,
        p_group, v_taken),
      HINT = 'Give each pipeline of an outbox a consumer group of its own.';
  END IF;
  IF v_old.name IS NULL THEN
    INSERT INTO tide.pipeline (name, outbox_number, consumer_group, config) VALUES (p_name, p_number, p_group, p_config);
    INSERT INTO tide.lease (pipeline) VALUES (p_name);
  ELSE
    UPDATE tide.pipeline SET config = p_config, revision = revision + 1, updated_at = clock_timestamp() WHERE name = p_name;
  END IF;
  PERFORM pg_notify('tide_config', '');
  RETURN v_old.name IS NULL;
END
$body$;

-- Raises with all that is wrong about a pipeline: its names and every field of its configuration.
CREATE FUNCTION tide.check_pipeline_arguments(p_name text, p_group text, p_config jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_name_rule constant text := '^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}$';
  v_problems text[] := '{}';
BEGIN
  IF p_name IS NULL OR p_name !~ v_name_rule THEN
    v_problems := v_problems || 'pipeline: must be 1 to 200 letters, digits and _ . : / -'::text;
  END IF;
  IF p_group IS NULL OR p_group !~ v_name_rule THEN
    v_problems := v_problems || 'consumer_group: must be 1 to 200 letters, digits and _ . : / -'::text;
  END IF;
  IF jsonb_typeof(p_config) IS DISTINCT FROM 'object' THEN
    v_problems := v_problems
      || format('config: is %s, expected an object', coalesce('of type ' || jsonb_typeof(p_config), 'NULL'));
  ELSE
    v_problems := v_problems || tide.config_problems(p_config);
  END IF;
  IF v_problems <> '{}' THEN
    RAISE EXCEPTION USING ERRCODE = 'TD021',
      MESSAGE = format('Cannot set pipeline %s: %s', coalesce('"' || left(p_name, 100) || '"', 'NULL'),
        CASE cardinality(v_problems) WHEN 1 THEN v_problems[1] ELSE cardinality(v_problems) || ' problems' END),
      DETAIL = array_to_string(v_problems, E'\n'),
      HINT = 'Nothing was changed. Correct all of it and call again; `pg-tide plugin inspect` shows the fields of a plugin.';
  END IF;
END
$body$;

-- Enable, disable or delete a pipeline of an outbox; returns whether anything changed.
CREATE FUNCTION tide.change_pipeline(p_number integer, p_action text, p_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_letters bigint;
  v_changed boolean;
BEGIN
  IF p_action = 'delete' THEN
    PERFORM tide.lock_outbox(p_number);
    DELETE FROM tide.pipeline WHERE name = p_name AND outbox_number = p_number;
    v_changed := FOUND;
    SELECT count(*) INTO v_letters FROM tide.dead_letter d WHERE d.pipeline = p_name;
    IF v_letters > 0 THEN
      RAISE NOTICE 'Pipeline "%" had % dead letters, which are kept: see tide.dlq_list(%)', p_name, v_letters,
        quote_literal(p_name);
    END IF;
  ELSE
    UPDATE tide.pipeline SET enabled = (p_action = 'enable'), updated_at = clock_timestamp()
    WHERE name = p_name AND outbox_number = p_number AND enabled <> (p_action = 'enable');
    v_changed := FOUND;
  END IF;
  PERFORM pg_notify('tide_config', '');
  RETURN v_changed;
END
$body$;

-- Create a pipeline, or change its configuration. A new one is disabled, and starts at the oldest message kept unless its
-- configuration says otherwise; one that exists keeps its position and whether it is enabled. All problems of the configuration are one error.
CREATE FUNCTION tide.relay_set_outbox(p_pipeline text, p_outbox text, p_consumer_group text, p_config jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
BEGIN
  SELECT o.number INTO v_number FROM tide.outbox o WHERE o.name = p_outbox;
  IF has_function_privilege(to_regproc('tide.pipeline_' || v_number), 'EXECUTE') IS NOT TRUE THEN
    PERFORM tide.refuse_outbox('set a pipeline', p_outbox);
  END IF;
  EXECUTE 'SELECT tide.pipeline_' || v_number || '(''set'', $1, $2, $3)' USING p_pipeline, p_consumer_group, p_config;
END
$body$;

CREATE FUNCTION tide.call_pipeline(p_action text, p_pipeline text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer;
  v_changed boolean;
BEGIN
  SELECT p.outbox_number INTO v_number FROM tide.pipeline p WHERE p.name = p_pipeline;
  IF has_function_privilege(to_regproc('tide.pipeline_' || v_number), 'EXECUTE') IS NOT TRUE THEN
    PERFORM tide.refuse_pipeline(p_action || ' a pipeline', p_pipeline);
  END IF;
  EXECUTE 'SELECT tide.pipeline_' || v_number || '($1, $2, NULL, NULL)' INTO v_changed USING p_action, p_pipeline;
  RETURN v_changed;
END
$body$;

-- Raises the one error for a pipeline that does not exist and one that the caller has no right on.
CREATE FUNCTION tide.refuse_pipeline(p_action text, p_pipeline text) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'TD020',
    MESSAGE = format('Cannot %s: there is no pipeline %s for role "%s"', p_action,
      coalesce('"' || left(p_pipeline, 100) || '"', 'NULL'), current_user),
    HINT = 'SELECT * FROM tide.relay_list_configs() shows the pipelines. tide.relay_set_outbox makes one; '
      || 'tide.grant_pipeline gives the right.';
END
$body$;

-- Let relays deliver a pipeline; returns whether it was disabled.
CREATE FUNCTION tide.relay_enable(p_pipeline text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN tide.call_pipeline('enable', p_pipeline);
END
$body$;

-- Stop delivering a pipeline. Its position is kept, and so are the messages that it has not delivered. Returns whether it was enabled.
CREATE FUNCTION tide.relay_disable(p_pipeline text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN tide.call_pipeline('disable', p_pipeline);
END
$body$;

-- Delete a pipeline with its position. Its dead letters are kept.
CREATE FUNCTION tide.relay_delete(p_pipeline text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.call_pipeline('delete', p_pipeline);
END
$body$;

-- The configuration of a pipeline, as it was set.
CREATE FUNCTION tide.relay_get_config(p_pipeline text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_config jsonb;
BEGIN
  SELECT p.config INTO v_config FROM tide.pipeline p WHERE p.name = p_pipeline;
  IF v_config IS NULL THEN
    PERFORM tide.refuse_pipeline('show a pipeline', p_pipeline);
  END IF;
  RETURN v_config;
END
$body$;

-- The pipelines that the caller has a right on.
CREATE FUNCTION tide.relay_list_configs() RETURNS TABLE (
  pipeline text, outbox text, consumer_group text, enabled boolean, revision bigint, config jsonb
) LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT p.name, o.name, p.consumer_group, p.enabled, p.revision, p.config
  FROM tide.pipeline p JOIN tide.outbox o ON o.number = p.outbox_number ORDER BY p.name;
END
$body$;
