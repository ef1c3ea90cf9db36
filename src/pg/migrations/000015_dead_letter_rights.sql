-- Rights on dead letters and on having them sent again. A relay may do what an operator may: it could do so anyway, because it reads,
-- writes and deletes dead letters.

CREATE OR REPLACE FUNCTION tide.outbox_functions(p_number integer) RETURNS TABLE (oid oid, name text) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT p.oid, p.proname::text FROM pg_proc p
  WHERE p.pronamespace = 'tide'::regnamespace
    AND p.proname ~ ('^(publish|publish_many|read_run|read_stragglers|lag|status|pipeline|retry)_' || p_number || '$');
END
$body$;

CREATE OR REPLACE FUNCTION tide.create_outbox_functions(p_number integer) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.create_publish_functions(p_number);
  PERFORM tide.create_read_functions(p_number);
  PERFORM tide.create_lag_function(p_number);
  PERFORM tide.create_status_function(p_number);
  PERFORM tide.create_pipeline_function(p_number);
  PERFORM tide.create_retry_function(p_number);
  PERFORM tide.grant_new_outbox(p_number);
END
$body$;

CREATE OR REPLACE FUNCTION tide.pipeline_functions_of(p_number integer) RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['pipeline_' || p_number, 'lag_' || p_number, 'status_' || p_number, 'retry_' || p_number];
END
$body$;

CREATE OR REPLACE FUNCTION tide.relay_functions_of(p_number integer) RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['read_run_' || p_number, 'read_stragglers_' || p_number, 'lag_' || p_number, 'status_' || p_number,
    'retry_' || p_number];
END
$body$;

-- What everybody needs who handles dead letters.
CREATE FUNCTION tide.dead_letter_functions() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['refuse_pipeline', 'dlq_list', 'dlq_show', 'dlq_count', 'dlq_status', 'dlq_retries', 'dlq_retry', 'dlq_cancel',
    'dlq_discard', 'check_retry_arguments', 'check_retry_route', 'pipeline_of_letter'];
END
$body$;

CREATE OR REPLACE FUNCTION tide.operator_functions() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN tide.dead_letter_functions() || ARRAY['refuse_outbox', 'relay_set_outbox', 'relay_enable', 'relay_disable', 'relay_delete',
    'call_pipeline', 'relay_get_config', 'relay_list_configs', 'consumer_group_status', 'pipeline_lag', 'outbox_list',
    'outbox_status'];
END
$body$;

-- What everybody may look at who configures pipelines, by the program as well, and what they may delete.
CREATE FUNCTION tide.operator_rights() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['SELECT ON tide.outbox, tide.pipeline, tide.plugin, tide.schema_version, tide.dead_letter_retry',
    'SELECT, DELETE ON tide.dead_letter'];
END
$body$;

CREATE OR REPLACE FUNCTION tide.grant_pipeline(p_outbox text, p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer := tide.outbox_number('grant', p_outbox);
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(true, ARRAY['USAGE ON SCHEMA tide'] || tide.operator_rights(), p_role);
  PERFORM tide.change_rights(true, tide.operator_functions() || tide.pipeline_functions_of(v_number), p_role);
END
$body$;

CREATE OR REPLACE FUNCTION tide.relay_rights() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['USAGE ON SCHEMA tide', 'USAGE ON SEQUENCE tide.lease_epoch', 'SELECT ON tide.outbox, tide.pipeline, tide.schema_version',
    'SELECT, UPDATE ON tide.lease', 'SELECT, INSERT, DELETE ON tide.window, tide.position_log',
    'SELECT, INSERT, UPDATE, DELETE ON tide.relay, tide.dead_letter', 'SELECT, UPDATE, DELETE ON tide.dead_letter_retry',
    'SELECT, INSERT, UPDATE ON tide.plugin, tide.pipeline_state'];
END
$body$;

CREATE OR REPLACE FUNCTION tide.relay_functions() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN tide.dead_letter_functions() || ARRAY['mark', 'ask_for_wakeup', 'check_numbering', 'life', 'begin_life', 'saved_position',
    'start_id', 'pipeline_lag', 'outbox_rotate', 'outbox_list', 'outbox_status', 'consumer_group_status', 'refuse_outbox',
    'read_letters', 'relay_list_configs'];
END
$body$;

CREATE OR REPLACE FUNCTION tide.grant_admin(p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(true, ARRAY['USAGE ON SCHEMA tide'] || tide.operator_rights(), p_role);
  PERFORM tide.change_rights(true, tide.admin_functions(), p_role);
  PERFORM tide.change_rights(true, tide.pipeline_functions_of(o.number), p_role) FROM tide.outbox o;
END
$body$;

CREATE OR REPLACE FUNCTION tide.revoke_admin(p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(false, tide.operator_rights(), p_role);
  PERFORM tide.change_rights(false, tide.admin_functions(), p_role);
  PERFORM tide.change_rights(false, tide.pipeline_functions_of(o.number), p_role) FROM tide.outbox o;
END
$body$;

-- Each role sees what it sees of dead letters; the dead letters of an outbox that was dropped are left to the administrators. What does
-- not depend on the row is asked once: a million letters are counted in a tenth of the time.
DO $policies$
DECLARE
  v_rule constant text := $rule$
    (SELECT pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.mark'), 'EXECUTE'))
    OR (SELECT pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.outbox_create'), 'EXECUTE'))
    OR outbox_number = ANY (ARRAY(SELECT o.number FROM tide.outbox o
      WHERE pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.pipeline_' || o.number), 'EXECUTE')))$rule$;
BEGIN
  EXECUTE 'ALTER POLICY dead_letter_rights ON tide.dead_letter USING (' || v_rule || ')';
  ALTER TABLE tide.dead_letter_retry ENABLE ROW LEVEL SECURITY;
  EXECUTE 'CREATE POLICY dead_letter_retry_rights ON tide.dead_letter_retry USING (' || v_rule || ')';
END
$policies$;

-- Whoever had rights has the new ones.
DO $grants$
BEGIN
  PERFORM tide.create_retry_function(o.number) FROM tide.outbox o WHERE o.name IS NOT NULL;
  PERFORM tide.grant_pipeline(o.name, g) FROM tide.outbox o, tide.grantees(to_regproc('tide.pipeline_' || o.number)) g
  WHERE o.name IS NOT NULL;
  PERFORM tide.grant_relay(g) FROM tide.grantees(to_regproc('tide.mark')) g;
  PERFORM tide.grant_admin(g) FROM tide.grantees(to_regproc('tide.outbox_create')) g;
END
$grants$;
