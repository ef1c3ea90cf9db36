-- Validation of a pipeline's configuration, against the fields in `tide.plugin`. It agrees with `parsePipeline` of the relay, which
-- validates again, and more (expressions, what references stand for); a test holds the two together. What is
-- found here is told to whoever writes the configuration, at once and all together.

-- The number of mistakes between two words: a character too many, too few, another one, or two swapped.
CREATE FUNCTION tide.edit_distance(p_a text, p_b text) RETURNS integer LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_a text[] := string_to_array(p_a, NULL);
  v_b text[] := string_to_array(p_b, NULL);
  v_before integer[];
  v_last integer[] := ARRAY(SELECT generate_series(0, cardinality(v_b)));
  v_row integer[];
BEGIN
  FOR i IN 1..cardinality(v_a) LOOP
    v_row := ARRAY[i];
    FOR j IN 1..cardinality(v_b) LOOP
      v_row[j + 1] := least(v_last[j + 1] + 1, v_row[j] + 1, v_last[j] + (v_a[i] <> v_b[j])::integer,
        CASE WHEN i > 1 AND j > 1 AND v_a[i] = v_b[j - 1] AND v_a[i - 1] = v_b[j] THEN v_before[j - 1] + 1 END);
    END LOOP;
    v_before := v_last;
    v_last := v_row;
  END LOOP;
  RETURN v_last[cardinality(v_b) + 1];
END
$body$;

-- " (did you mean x?)" for the nearest of some names, or nothing when none is near: at most one mistake in three characters. Case
-- and the difference between `-`, `_` and `.` count for nothing.
CREATE FUNCTION tide.did_you_mean(p_word text, p_names text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_word text := translate(lower(left(p_word, 64)), '-.', '__');
BEGIN
  RETURN coalesce((SELECT format(' (did you mean %s?)', d.name) FROM (
    SELECT n AS name, tide.edit_distance(v_word, translate(lower(n), '-.', '__')) AS distance FROM unnest(p_names) n
    -- Others are further away than that, whatever their letters are.
    WHERE abs(length(n) - length(v_word)) <= greatest(1, length(v_word) / 3)
  ) d WHERE d.distance <= greatest(1, length(v_word) / 3) AND d.distance < length(v_word) ORDER BY d.distance, d.name LIMIT 1), '');
END
$body$;

-- Whether fields lie below a name: retry, where there is retry.max_attempts.
CREATE FUNCTION tide.is_group(p_fields jsonb, p_name text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN EXISTS (SELECT FROM jsonb_object_keys(p_fields) k WHERE starts_with(k, p_name || '.'));
END
$body$;

-- The members of a configuration with their dotted names: {"retry": {"max_attempts": 3}} is retry.max_attempts. An object
-- is opened where fields lie below its name, unless a key holds a dot itself: that names no field. A field or group that is JSON null
-- is absent. `field` is NULL for a name that is no field.
CREATE FUNCTION tide.config_members(p_config jsonb, p_fields jsonb) RETURNS TABLE (name text, value jsonb, field jsonb)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY WITH RECURSIVE member AS (
    SELECT '' AS name, p_config AS value, NULL::jsonb AS field, true AS is_group
    UNION ALL
    SELECT n.name, e.value, CASE WHEN n.plain THEN p_fields -> n.name END,
      n.plain AND NOT p_fields ? n.name AND tide.is_group(p_fields, n.name)
    FROM member m, LATERAL jsonb_each(CASE WHEN m.is_group AND jsonb_typeof(m.value) = 'object' THEN m.value ELSE '{}' END) e,
      LATERAL (SELECT concat_ws('.', nullif(m.name, ''), e.key) AS name, strpos(e.key, '.') = 0 AS plain) n
  )
  SELECT m.name, m.value, m.field FROM member m
  WHERE NOT (m.is_group AND jsonb_typeof(m.value) IN ('object', 'null')) AND NOT (m.field IS NOT NULL AND m.value = 'null');
END
$body$;

-- The references such as ${env:NAME} in a text, or in the texts of an object or array: the word before the colon, and what follows.
-- A lone "${" or "${x}" is text, as passwords may hold one.
CREATE FUNCTION tide.references_in(p_value jsonb) RETURNS TABLE (kind text, target text) LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT r[1], r[2]
  FROM jsonb_array_elements(CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value
      WHEN 'object' THEN jsonb_path_query_array(p_value, 'strict $.*') ELSE jsonb_build_array(p_value) END) t,
    LATERAL regexp_matches(t #>> '{}', '\$\{([A-Za-z_]+):([^}]*)\}', 'g') AS r
  WHERE jsonb_typeof(t) = 'string';
END
$body$;

-- Whether the value of a field depends on a reference: a text, or an object with a text that holds one.
CREATE FUNCTION tide.holds_reference(p_value jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN jsonb_typeof(p_value) IN ('string', 'object') AND EXISTS (SELECT FROM tide.references_in(p_value));
END
$body$;

-- What is wrong with the references in a value, or NULL. In a field that takes none, only ${env:...} and ${file:...} are mistakes.
CREATE FUNCTION tide.reference_problem(p_value jsonb, p_field jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_interpolates boolean := coalesce((p_field ->> 'interpolates')::boolean, false);
BEGIN
  RETURN (SELECT format('holds the reference ${%s:%s}, %s', left(r.kind, 20), left(r.target, 60),
      CASE WHEN v_interpolates THEN 'expected ${env:NAME} or ${file:/path}' || tide.did_you_mean(r.kind, '{env,file}')
        ELSE 'which is not resolved in this field' END)
    FROM tide.references_in(p_value) r
    WHERE CASE WHEN v_interpolates THEN NOT (r.kind = 'env' AND r.target ~ '^[A-Za-z_][A-Za-z0-9_]*$'
        OR r.kind = 'file' AND starts_with(r.target, '/')) ELSE r.kind IN ('env', 'file') END
    LIMIT 1);
END
$body$;

-- Whether a value is of a field's type. Whole numbers must be exact in JavaScript too.
CREATE FUNCTION tide.has_type(p_value jsonb, p_type text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_kind text := jsonb_typeof(p_value);
  v_number numeric := CASE v_kind WHEN 'number' THEN (p_value #>> '{}')::numeric END;
BEGIN
  RETURN CASE p_type
    WHEN 'integer' THEN coalesce(v_number % 1 = 0 AND abs(v_number) <= 9007199254740991, false)
    WHEN 'number' THEN coalesce(abs(v_number) < 1.7976931348623158e308, false)
    WHEN 'list' THEN v_kind = 'array'
    WHEN 'string_map' THEN v_kind = 'object'
    ELSE v_kind = p_type END;
END
$body$;

-- A value for an error: never a secret, never long.
CREATE FUNCTION tide.show_value(p_value jsonb, p_field jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF coalesce((p_field ->> 'secret')::boolean, false) THEN
    RETURN 'a secret ' || jsonb_typeof(p_value);
  END IF;
  -- A URL may hold a password.
  RETURN left(regexp_replace(p_value::text, '://[^@/"]*@', '://***@', 'g'), 120);
END
$body$;

-- How large a value is, where `min` and `max` bound it, and the unit for an error.
CREATE FUNCTION tide.value_size(p_value jsonb, OUT size numeric, OUT unit text) LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  unit := CASE jsonb_typeof(p_value) WHEN 'number' THEN '' WHEN 'string' THEN ' characters' ELSE ' entries' END;
  size := CASE jsonb_typeof(p_value) WHEN 'number' THEN (p_value #>> '{}')::numeric WHEN 'string' THEN length(p_value #>> '{}')
    WHEN 'array' THEN jsonb_array_length(p_value)
    WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys(p_value)) END;
END
$body$;

-- What is wrong with a value of the right type, or NULL. Of a text that holds a reference only the type counts here.
CREATE FUNCTION tide.content_problem(p_value jsonb, p_field jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_unresolved boolean := coalesce((p_field ->> 'interpolates')::boolean, false) AND tide.holds_reference(p_value);
  v_bound record := tide.value_size(p_value);
BEGIN
  IF v_unresolved AND jsonb_typeof(p_value) = 'string' THEN
    RETURN NULL;
  ELSIF v_bound.size < (p_field ->> 'min')::numeric THEN
    RETURN format('is %s, expected at least %s%s', tide.show_value(p_value, p_field), p_field ->> 'min', v_bound.unit);
  ELSIF v_bound.size > (p_field ->> 'max')::numeric THEN
    RETURN format('is %s, expected at most %s%s', tide.show_value(p_value, p_field), p_field ->> 'max', v_bound.unit);
  ELSIF v_unresolved THEN
    RETURN NULL;
  ELSIF p_field ? 'values' AND NOT (p_field -> 'values') @> p_value THEN
    RETURN format('is %s, expected %s%s', tide.show_value(p_value, p_field),
      (SELECT string_agg(v #>> '{}', ', ') FROM jsonb_array_elements(p_field -> 'values') v),
      CASE jsonb_typeof(p_value) WHEN 'string' THEN
        tide.did_you_mean(p_value #>> '{}', ARRAY(SELECT jsonb_array_elements_text(p_field -> 'values'))) END);
  ELSIF p_field ? 'pattern' AND EXISTS (
      SELECT FROM jsonb_array_elements(CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value ELSE jsonb_build_array(p_value) END) t
      WHERE jsonb_typeof(t) <> 'string' OR t #>> '{}' !~ ('^(?:' || (p_field ->> 'pattern') || ')$')) THEN
    RETURN format('is %s, expected %s', tide.show_value(p_value, p_field),
      coalesce(p_field ->> 'patternDoc', 'text that matches ' || (p_field ->> 'pattern')));
  END IF;
  RETURN NULL;
END
$body$;

-- What is wrong with a template such as `orders.{op}` or `{payload.region|unknown}`, or NULL; the same as `compileTemplate` says.
CREATE FUNCTION tide.template_problem(p_text text) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_names constant text[] := '{stream_table,outbox,op,outbox_id,dedup_key,event_type,header,payload}';
  v_known constant text := '{stream_table}, {outbox}, {op}, {outbox_id}, {dedup_key}, {event_type}, {header.NAME}, {payload.path}';
  v_part text[];
  v_whole text;
  v_name text;
  v_path text;
BEGIN
  -- Doubled braces, a variable, any other text; then whatever is wrong, a single brace.
  FOR v_part IN SELECT regexp_matches(p_text, '(\{\{|\}\})|\{([^{}]*)\}|([^{}]+)|(.)', 'g') LOOP
    v_whole := split_part(v_part[2], '|', 1);
    v_name := split_part(v_whole, '.', 1);
    v_path := CASE WHEN strpos(v_whole, '.') > 0 THEN substr(v_whole, strpos(v_whole, '.') + 1) END;
    IF v_part[4] IS NOT NULL THEN
      RETURN format('has a single "%s", expected "%s%s"', v_part[4], v_part[4], v_part[4]);
    ELSIF v_name <> ALL (v_names) THEN
      RETURN format('has the unknown variable {%s}%s, expected one of %s', left(v_whole, 80),
        tide.did_you_mean(v_name, v_names), v_known);
    ELSIF v_name IN ('header', 'payload')
        AND (coalesce(v_path, '') = '' OR v_name = 'payload' AND '' = ANY (string_to_array(v_path, '.'))) THEN
      RETURN format('names nothing in {%s}, expected {%s}', left(v_whole, 80),
        CASE v_name WHEN 'header' THEN 'header.NAME' ELSE 'payload.path' END);
    ELSIF v_name NOT IN ('header', 'payload') AND v_path IS NOT NULL THEN
      RETURN format('asks for {%s}, expected {%s}', left(v_whole, 80), v_name);
    END IF;
  END LOOP;
  RETURN NULL;
END
$body$;

-- All that is wrong with a value of a field.
CREATE FUNCTION tide.value_problems(p_name text, p_value jsonb, p_field jsonb) RETURNS TABLE (name text, problem text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_type text := p_field ->> 'type';
BEGIN
  name := p_name;
  problem := tide.reference_problem(p_value, p_field);
  IF problem IS NULL AND NOT tide.has_type(p_value, v_type) THEN
    problem := format('is %s, expected %s', tide.show_value(p_value, p_field),
      CASE v_type WHEN 'boolean' THEN 'true or false' WHEN 'integer' THEN 'an integer' WHEN 'object' THEN 'an object'
        WHEN 'string_map' THEN 'an object whose values are strings' ELSE 'a ' || v_type END);
  ELSIF problem IS NULL THEN
    problem := coalesce(tide.content_problem(p_value, p_field),
      CASE WHEN (p_field ->> 'template')::boolean THEN tide.template_problem(p_value #>> '{}') END);
  END IF;
  IF problem IS NOT NULL THEN
    RETURN NEXT;
  ELSIF v_type = 'string_map' THEN
    RETURN QUERY SELECT p_name || '.' || e.key, format('is %s, expected a string', tide.show_value(e.value, p_field))
    FROM jsonb_each(p_value) e WHERE jsonb_typeof(e.value) <> 'string' ORDER BY e.key;
  END IF;
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
    AND jsonb_array_length(p.fields) > 0;
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
  v_formats text[] := 'native'::text || ARRAY(SELECT p.name FROM tide.plugin p WHERE p.kind = 'format' ORDER BY p.name);
  v_problems text[] := '{}';
BEGIN
  IF v_sink IS NULL THEN
    v_problems := v_problems
      || ('sink_type: is required' || coalesce(', expected one of ' || nullif(array_to_string(v_sinks, ', '), ''), ''));
  ELSIF v_sink <> ALL (v_sinks) AND v_sinks <> '{}' THEN
    v_problems := v_problems || format('sink_type: is "%s", expected one of %s%s', left(v_sink, 80),
      array_to_string(v_sinks, ', '), tide.did_you_mean(v_sink, v_sinks));
  END IF;
  IF v_format <> ALL (v_formats) AND v_sinks <> '{}' THEN
    v_problems := v_problems || format('wire_format: is "%s", expected one of %s%s', left(v_format, 80),
      array_to_string(v_formats, ', '), tide.did_you_mean(v_format, v_formats));
  END IF;
  RETURN v_problems;
END
$body$;

-- What is wrong with single fields, names that are none included.
CREATE FUNCTION tide.field_problems(p_config jsonb, p_fields jsonb) RETURNS TABLE (name text, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_names text[] := ARRAY(SELECT k FROM jsonb_object_keys(p_fields) k
    UNION SELECT regexp_replace(k, '[.][^.]*$', '') FROM jsonb_object_keys(p_fields) k);
BEGIN
  RETURN QUERY SELECT p.name, p.problem FROM tide.config_members(p_config, p_fields) m,
    LATERAL tide.value_problems(m.name, m.value, m.field) p WHERE m.field IS NOT NULL;
  RETURN QUERY SELECT m.name, CASE
    WHEN p_fields ? m.name THEN 'is written with a dot, which stands for nesting, expected an object in an object'
    WHEN tide.is_group(p_fields, m.name) THEN 'is not an object, expected one'
    ELSE 'there is no such field' || tide.did_you_mean(m.name, v_names) END
  FROM tide.config_members(p_config, p_fields) m WHERE m.field IS NULL;
  RETURN QUERY SELECT f.key, 'is required: ' || (f.value ->> 'doc') FROM jsonb_each(p_fields) f
  WHERE (f.value ->> 'required')::boolean
    AND NOT EXISTS (SELECT FROM tide.config_members(p_config, p_fields) m WHERE m.name = f.key AND m.field IS NOT NULL);
END
$body$;

-- What is wrong between fields. Rules about fields that are wrong themselves would only repeat it.
CREATE FUNCTION tide.rule_problems(p_config jsonb, p_fields jsonb, p_rules jsonb, p_wrong text[])
RETURNS TABLE (name text, problem text) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_values jsonb;
BEGIN
  SELECT jsonb_object_agg(f.key, coalesce(m.value, f.value -> 'default', 'null')) INTO v_values
  FROM jsonb_each(p_fields) f
  LEFT JOIN tide.config_members(p_config, p_fields) m ON m.name = f.key AND m.field IS NOT NULL;
  RETURN QUERY SELECT r #>> '{then,field}', r ->> 'message' FROM jsonb_array_elements(p_rules) r
  WHERE r #>> '{when,field}' <> ALL (p_wrong) AND r #>> '{then,field}' <> ALL (p_wrong)
    AND tide.condition_holds(r -> 'when', v_values) AND NOT tide.condition_holds(r -> 'then', v_values);
  -- The one relation between numbers that rules cannot say.
  IF NOT p_wrong && '{retry.initial_ms,retry.max_ms}'
      AND (v_values ->> 'retry.initial_ms')::numeric > (v_values ->> 'retry.max_ms')::numeric THEN
    name := 'retry.initial_ms';
    problem := format('is %s, expected at most retry.max_ms, which is %s', v_values ->> 'retry.initial_ms',
      v_values ->> 'retry.max_ms');
    RETURN NEXT;
  END IF;
END
$body$;

-- All problems of a configuration, one line each: "field: problem".
CREATE FUNCTION tide.config_problems(p_config jsonb) RETURNS text[] LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_problems text[] := tide.plugin_problems(p_config);
  v_known record := tide.config_fields(p_config);
  v_wrong text[];
  v_lines text[];
BEGIN
  -- Without its plugins the other fields cannot be told from mistakes.
  IF v_problems <> '{}' OR v_known.fields IS NULL THEN
    RETURN v_problems;
  END IF;
  SELECT coalesce(array_agg(p.name), '{}'), coalesce(array_agg(left(p.name, 100) || ': ' || p.problem ORDER BY p.name), '{}')
  INTO v_wrong, v_lines FROM tide.field_problems(p_config, v_known.fields) p;
  RETURN v_lines || ARRAY(SELECT p.name || ': ' || p.problem
    FROM tide.rule_problems(p_config, v_known.fields, v_known.rules, v_wrong) p);
END
$body$;
