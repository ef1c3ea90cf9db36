-- Validation of a pipeline's configuration, against the fields in `tide.plugin`. The relay validates again, and more; what is found
-- here is told to whoever writes the configuration, at once and all together.

-- The number of single-character edits between two words.
CREATE FUNCTION tide.edit_distance(p_a text, p_b text) RETURNS integer LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_row integer[] := ARRAY(SELECT generate_series(0, length(p_b)));
  v_diagonal integer;
  v_above integer;
BEGIN
  FOR i IN 1..length(p_a) LOOP
    v_diagonal := v_row[1];
    v_row[1] := i;
    FOR j IN 1..length(p_b) LOOP
      v_above := v_row[j + 1];
      v_row[j + 1] := least(v_above + 1, v_row[j] + 1,
        v_diagonal + (substr(p_a, i, 1) <> substr(p_b, j, 1))::integer);
      v_diagonal := v_above;
    END LOOP;
  END LOOP;
  RETURN v_row[length(p_b) + 1];
END
$body$;

-- " (did you mean x?)" for the nearest of some names, or nothing when none is near.
CREATE FUNCTION tide.did_you_mean(p_word text, p_names text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_word text := lower(left(p_word, 64));
BEGIN
  RETURN coalesce((SELECT format(' (did you mean %s?)', n) FROM unnest(p_names) n
    WHERE tide.edit_distance(v_word, n) <= greatest(1, length(n) / 3)
    ORDER BY tide.edit_distance(v_word, n), n LIMIT 1), '');
END
$body$;

-- The members of a configuration with their dotted names: {"retry": {"max_attempts": 3}} is retry.max_attempts. Only
-- objects that are not fields themselves are opened, and only where a field lies below. JSON null means absent.
CREATE FUNCTION tide.config_members(p_config jsonb, p_fields jsonb) RETURNS TABLE (name text, value jsonb, field jsonb)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY WITH RECURSIVE member AS (
    SELECT e.key AS name, e.value, strpos(e.key, '.') > 0 AS dotted FROM jsonb_each(p_config) e
    UNION ALL
    SELECT m.name || '.' || e.key, e.value, m.dotted OR strpos(e.key, '.') > 0 FROM member m,
      LATERAL jsonb_each(CASE WHEN jsonb_typeof(m.value) = 'object' AND NOT m.dotted
        AND NOT p_fields ? m.name AND tide.is_group(p_fields, m.name) THEN m.value ELSE '{}' END) e
  )
  -- A key that holds a dot itself names no field.
  SELECT m.name, m.value, CASE WHEN NOT m.dotted THEN p_fields -> m.name END FROM member m
  WHERE m.value <> 'null' AND NOT (jsonb_typeof(m.value) = 'object' AND NOT m.dotted
    AND NOT p_fields ? m.name AND tide.is_group(p_fields, m.name));
END
$body$;

-- Whether fields lie below a name: retry, where there is retry.max_attempts.
CREATE FUNCTION tide.is_group(p_fields jsonb, p_name text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN EXISTS (SELECT FROM jsonb_object_keys(p_fields) k WHERE starts_with(k, p_name || '.'));
END
$body$;

-- Whether a value is a text, or an object with a text, that holds a reference such as ${env:NAME}.
CREATE FUNCTION tide.holds_reference(p_value jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN CASE jsonb_typeof(p_value) WHEN 'string' THEN p_value #>> '{}' ~ '\$\{[A-Za-z_]+:[^}]*\}'
    WHEN 'object' THEN EXISTS (SELECT FROM jsonb_each_text(p_value) e WHERE e.value ~ '\$\{[A-Za-z_]+:[^}]*\}')
    ELSE false END;
END
$body$;

-- What is wrong with a value as this field, or NULL. A reference is resolved by the relay: of a text that holds one only the
-- type counts here. Values of secret fields are not repeated.
CREATE FUNCTION tide.value_problem(p_value jsonb, p_field jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_type text := p_field ->> 'type';
  v_kind text := jsonb_typeof(p_value);
  v_text text := p_value #>> '{}';
  v_shown text := CASE WHEN coalesce((p_field ->> 'secret')::boolean, false) THEN 'a secret of that type'
    ELSE left(p_value::text, 80) END;
  v_size numeric;
BEGIN
  IF (CASE v_type
      WHEN 'string' THEN v_kind = 'string'
      WHEN 'boolean' THEN v_kind = 'boolean'
      WHEN 'number' THEN v_kind = 'number'
      WHEN 'integer' THEN v_kind = 'number' AND (CASE WHEN v_kind = 'number' THEN v_text::numeric % 1 END) = 0
      WHEN 'list' THEN v_kind = 'array'
      WHEN 'string_map' THEN v_kind = 'object' AND NOT jsonb_path_exists(p_value, 'strict $.* ? (@.type() != "string")')
      ELSE v_kind = 'object' END) IS NOT TRUE THEN
    RETURN format('is %s, expected %s', CASE WHEN v_kind IN ('object', 'array') THEN 'an ' || v_kind ELSE v_shown END,
      CASE v_type WHEN 'string' THEN 'a string' WHEN 'boolean' THEN 'true or false' WHEN 'number' THEN 'a number'
        WHEN 'integer' THEN 'a whole number' WHEN 'list' THEN 'an array' WHEN 'string_map' THEN 'an object of strings'
        ELSE 'an object' END);
  ELSIF tide.holds_reference(p_value) AND coalesce((p_field ->> 'interpolates')::boolean, false) THEN
    RETURN NULL;
  ELSIF v_kind = 'string' AND v_text ~ '\$\{(env|file):' THEN
    RETURN 'holds a reference, which is not resolved in this field';
  ELSIF p_field ? 'values' AND NOT (p_field -> 'values') @> p_value THEN
    RETURN format('is %s, expected %s%s', v_shown,
      (SELECT string_agg(v #>> '{}', ', ') FROM jsonb_array_elements(p_field -> 'values') v),
      CASE WHEN v_kind = 'string' THEN
        tide.did_you_mean(v_text, ARRAY(SELECT jsonb_array_elements_text(p_field -> 'values'))) END);
  END IF;
  v_size := CASE v_kind WHEN 'number' THEN v_text::numeric WHEN 'string' THEN length(v_text)
    WHEN 'array' THEN jsonb_array_length(p_value)
    WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys(p_value)) END;
  IF v_size < (p_field ->> 'min')::numeric OR v_size > (p_field ->> 'max')::numeric THEN
    RETURN format('%s %s, expected %s', CASE v_kind WHEN 'number' THEN 'is' ELSE 'has a length of' END, v_size,
      concat_ws(' and ', 'at least ' || (p_field ->> 'min'), 'at most ' || (p_field ->> 'max')));
  ELSIF v_kind IN ('string', 'array') AND EXISTS (
      SELECT FROM jsonb_array_elements(CASE v_kind WHEN 'array' THEN p_value ELSE jsonb_build_array(p_value) END) t
      WHERE jsonb_typeof(t) <> 'string' AND p_field ? 'pattern'
        OR t #>> '{}' !~ ('^(?:' || (p_field ->> 'pattern') || ')$')) THEN
    RETURN format('is %s, expected %s', v_shown,
      coalesce(p_field ->> 'patternDoc', 'text that matches ' || (p_field ->> 'pattern')));
  END IF;
  RETURN NULL;
END
$body$;

-- Whether a condition between fields holds for the values, after defaults. NULL when the relay alone can tell, because
-- the value has a reference.
CREATE FUNCTION tide.condition_holds(p_condition jsonb, p_values jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_value jsonb := coalesce(p_values -> (p_condition ->> 'field'), 'null');
BEGIN
  IF NOT p_condition ? 'is' THEN
    RETURN v_value <> 'null';
  ELSIF tide.holds_reference(v_value) THEN
    RETURN NULL;
  END IF;
  RETURN EXISTS (SELECT FROM jsonb_array_elements(p_condition -> 'is') a WHERE a = v_value);
END
$body$;

-- What fields a configuration may have, as an object by name, and the rules between them: the kernel's, those of its sink
-- (one that both declare is the sink's), and those of its format under `wire_config`. Without the kernel's own fields (no relay
-- was installed or started yet) `fields` is NULL and nothing can be checked.
CREATE FUNCTION tide.config_fields(p_config jsonb, OUT fields jsonb, OUT rules jsonb) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_format tide.plugin;
BEGIN
  SELECT * INTO v_format FROM tide.plugin p WHERE p.kind = 'format' AND p.name = p_config ->> 'wire_format'
    AND p.name NOT IN ('native', 'json') AND jsonb_array_length(p.fields) > 0;
  SELECT jsonb_object_agg(f ->> 'name', f ORDER BY p.kind) INTO fields
  FROM tide.plugin p, jsonb_array_elements(p.fields) f
  WHERE (p.kind, p.name) IN (('kernel', 'kernel'), ('sink', p_config ->> 'sink_type'))
    AND EXISTS (SELECT FROM tide.plugin k WHERE k.kind = 'kernel');
  SELECT coalesce(jsonb_agg(r), '[]') INTO rules FROM tide.plugin p, jsonb_array_elements(p.rules) r
  WHERE (p.kind, p.name) IN (('kernel', 'kernel'), ('sink', p_config ->> 'sink_type'));
  IF v_format.name IS NULL THEN
    RETURN;
  END IF;
  fields := fields - 'wire_config' || (SELECT jsonb_object_agg('wire_config.' || (f ->> 'name'), f)
    FROM jsonb_array_elements(v_format.fields) f);
  rules := rules || (SELECT coalesce(jsonb_agg(jsonb_build_object('message', r -> 'message',
      'when', (r -> 'when') || jsonb_build_object('field', 'wire_config.' || (r #>> '{when,field}')),
      'then', (r -> 'then') || jsonb_build_object('field', 'wire_config.' || (r #>> '{then,field}')))), '[]')
    FROM jsonb_array_elements(v_format.rules) r);
END
$body$;

-- What is wrong with the names of the sink and the format, one line each.
CREATE FUNCTION tide.plugin_problems(p_config jsonb) RETURNS text[] LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_sink text := p_config ->> 'sink_type';
  v_format text := coalesce(p_config ->> 'wire_format', 'native');
  v_sinks text[] := ARRAY(SELECT p.name FROM tide.plugin p WHERE p.kind = 'sink' ORDER BY p.name);
  v_formats text[] := ARRAY(SELECT p.name FROM tide.plugin p WHERE p.kind = 'format' ORDER BY p.name);
  v_problems text[] := '{}';
BEGIN
  IF v_sink IS NULL THEN
    v_problems := v_problems
      || ('sink_type: is required' || coalesce(', expected one of ' || nullif(array_to_string(v_sinks, ', '), ''), ''));
  ELSIF v_sink <> ALL (v_sinks) AND v_sinks <> '{}' THEN
    v_problems := v_problems || format('sink_type: is "%s", expected one of %s%s', left(v_sink, 80),
      array_to_string(v_sinks, ', '), tide.did_you_mean(v_sink, v_sinks));
  END IF;
  IF v_format NOT IN ('native', 'json') AND v_format <> ALL (v_formats) AND v_sinks <> '{}' THEN
    v_problems := v_problems || format('wire_format: is "%s", expected one of native%s%s', left(v_format, 80),
      coalesce(', ' || nullif(array_to_string(v_formats, ', '), ''), ''),
      tide.did_you_mean(v_format, 'native'::text || v_formats));
  END IF;
  RETURN v_problems;
END
$body$;

-- All problems of a configuration, one line each: "field: problem".
CREATE FUNCTION tide.config_problems(p_config jsonb) RETURNS text[] LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_known record;
  v_problems text[] := tide.plugin_problems(p_config);
  v_wrong text[];
  v_more text[];
  v_values jsonb;
BEGIN
  v_known := tide.config_fields(p_config);
  IF v_known.fields IS NULL THEN
    RETURN v_problems;
  END IF;
  SELECT coalesce(array_agg(p.name), '{}'), coalesce(array_agg(left(p.name, 100) || ': ' || p.problem ORDER BY p.name), '{}')
  INTO v_wrong, v_more FROM (
    SELECT m.name, CASE
      WHEN m.field IS NOT NULL THEN tide.value_problem(m.value, m.field)
      WHEN tide.is_group(v_known.fields, m.name) THEN 'is not an object'
      -- Without a known sink and format every one of their keys would be reported.
      WHEN v_problems = '{}' THEN 'there is no such field'
        || tide.did_you_mean(m.name, ARRAY(SELECT jsonb_object_keys(v_known.fields))) END AS problem
    FROM tide.config_members(p_config, v_known.fields) m
    UNION ALL
    SELECT f.key, 'is required' FROM jsonb_each(v_known.fields) f
    WHERE (f.value ->> 'required')::boolean AND f.key <> 'sink_type'
      AND NOT EXISTS (SELECT FROM tide.config_members(p_config, v_known.fields) m WHERE m.name = f.key)
  ) p WHERE p.problem IS NOT NULL;
  SELECT jsonb_object_agg(f.key, coalesce(m.value, f.value -> 'default', 'null')) INTO v_values
  FROM jsonb_each(v_known.fields) f LEFT JOIN tide.config_members(p_config, v_known.fields) m ON m.name = f.key;
  RETURN v_problems || v_more || ARRAY(
    SELECT (r #>> '{then,field}') || ': ' || (r ->> 'message') FROM jsonb_array_elements(v_known.rules) r
    WHERE tide.condition_holds(r -> 'when', v_values) AND NOT tide.condition_holds(r -> 'then', v_values)
      AND r #>> '{when,field}' <> ALL (v_wrong) AND r #>> '{then,field}' <> ALL (v_wrong));
END
$body$;
