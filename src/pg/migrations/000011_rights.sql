-- Rights. No function of this schema is executable by PUBLIC. Roles are given, by name:
--   grant_publish(outbox, role)    publish to one outbox
--   grant_pipeline(outbox, role)   configure the pipelines of one outbox, which means to read it
--   grant_relay(role)              run a relay: read all outboxes, save positions
--   grant_admin(role)              make and drop outboxes, give these rights, configure all pipelines
--
-- The rights on an outbox are EXECUTE on its own functions; row-level security on the catalog follows from them.

-- Before rights of a role change: it must exist, and others who change rights wait.
CREATE FUNCTION tide.open_rights(p_role text) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.lock_functions();
  IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_role) THEN
    RAISE EXCEPTION USING ERRCODE = 'TD060',
      MESSAGE = format('Cannot change rights: there is no role %s', coalesce('"' || left(p_role, 100) || '"', 'NULL')),
      HINT = 'Create it first with CREATE ROLE. Rights are never given to PUBLIC.';
  END IF;
END
$body$;

-- Execute a GRANT or REVOKE on functions of this schema, given by name.
CREATE FUNCTION tide.change_rights(p_grant boolean, p_functions text[], p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_function text;
BEGIN
  FOREACH v_function IN ARRAY p_functions LOOP
    EXECUTE format(CASE WHEN p_grant THEN 'GRANT EXECUTE ON FUNCTION tide.%I TO %I'
      ELSE 'REVOKE EXECUTE ON FUNCTION tide.%I FROM %I' END, v_function, p_role);
  END LOOP;
END
$body$;

-- The same for statements about tables; %I stands for the role.
CREATE FUNCTION tide.change_table_rights(p_grant boolean, p_rights text[], p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_right text;
BEGIN
  FOREACH v_right IN ARRAY p_rights LOOP
    EXECUTE format(CASE WHEN p_grant THEN 'GRANT %s TO %I' ELSE 'REVOKE %s FROM %I' END, v_right, p_role);
  END LOOP;
END
$body$;

-- Let a role publish to an outbox.
CREATE FUNCTION tide.grant_publish(p_outbox text, p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer := tide.outbox_number('grant', p_outbox);
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(true, ARRAY['USAGE ON SCHEMA tide', 'SELECT (number, name) ON tide.outbox'], p_role);
  PERFORM tide.change_rights(true, ARRAY['outbox_publish', 'outbox_publish_many', 'refuse_outbox',
    'publish_' || v_number, 'publish_many_' || v_number], p_role);
END
$body$;

-- Take the right to publish to an outbox away.
CREATE FUNCTION tide.revoke_publish(p_outbox text, p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer := tide.outbox_number('revoke', p_outbox);
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_rights(false, ARRAY['publish_' || v_number, 'publish_many_' || v_number], p_role);
END
$body$;

-- The functions of one outbox for whoever configures its pipelines, and for relays.
CREATE FUNCTION tide.pipeline_functions_of(p_number integer) RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['pipeline_' || p_number, 'lag_' || p_number, 'status_' || p_number];
END
$body$;

CREATE FUNCTION tide.relay_functions_of(p_number integer) RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['read_run_' || p_number, 'read_stragglers_' || p_number, 'lag_' || p_number, 'status_' || p_number];
END
$body$;

-- What everybody needs who configures or looks at pipelines.
CREATE FUNCTION tide.operator_functions() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['refuse_outbox', 'refuse_pipeline', 'relay_set_outbox', 'relay_enable', 'relay_disable', 'relay_delete',
    'call_pipeline', 'relay_get_config', 'relay_list_configs', 'consumer_group_status', 'pipeline_lag', 'outbox_list',
    'outbox_status', 'dlq_list', 'dlq_show', 'dlq_discard'];
END
$body$;

-- Let a role configure the pipelines of an outbox, and handle their dead letters. Whoever points an outbox at a sink reads it.
CREATE FUNCTION tide.grant_pipeline(p_outbox text, p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer := tide.outbox_number('grant', p_outbox);
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(true, ARRAY['USAGE ON SCHEMA tide', 'SELECT ON tide.outbox, tide.pipeline, tide.plugin',
    'SELECT, DELETE ON tide.dead_letter'], p_role);
  PERFORM tide.change_rights(true, tide.operator_functions() || tide.pipeline_functions_of(v_number), p_role);
END
$body$;

-- Take the right to configure an outbox's pipelines away. A relay or administrator must be given that right again: they overlap.
CREATE FUNCTION tide.revoke_pipeline(p_outbox text, p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  v_number integer := tide.outbox_number('revoke', p_outbox);
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_rights(false, tide.pipeline_functions_of(v_number), p_role);
END
$body$;

CREATE FUNCTION tide.relay_rights() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['USAGE ON SCHEMA tide', 'USAGE ON SEQUENCE tide.lease_epoch', 'SELECT ON tide.outbox, tide.pipeline, tide.schema_version',
    'SELECT, UPDATE ON tide.lease', 'SELECT, INSERT, DELETE ON tide.window, tide.position_log, tide.dead_letter',
    'SELECT, INSERT, UPDATE, DELETE ON tide.relay', 'SELECT, INSERT, UPDATE ON tide.plugin, tide.pipeline_state'];
END
$body$;

CREATE FUNCTION tide.relay_functions() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN ARRAY['mark', 'ask_for_wakeup', 'check_numbering', 'life', 'begin_life', 'saved_position', 'start_id', 'pipeline_lag',
    'outbox_rotate', 'outbox_list',
    'outbox_status', 'consumer_group_status', 'refuse_outbox', 'dlq_list', 'dlq_show', 'relay_list_configs'];
END
$body$;

-- Let a role run relays: they read every outbox, of today and later.
CREATE FUNCTION tide.grant_relay(p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(true, tide.relay_rights(), p_role);
  PERFORM tide.change_rights(true, tide.relay_functions(), p_role);
  PERFORM tide.change_rights(true, tide.relay_functions_of(o.number), p_role)
  FROM tide.outbox o;
END
$body$;

-- Take the right to run relays away. A role that has another of these rights must be given that again: they overlap.
CREATE FUNCTION tide.revoke_relay(p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(false, array_remove(tide.relay_rights(), 'USAGE ON SCHEMA tide'), p_role);
  PERFORM tide.change_rights(false, tide.relay_functions(), p_role);
  PERFORM tide.change_rights(false, tide.relay_functions_of(o.number), p_role)
  FROM tide.outbox o;
END
$body$;

CREATE FUNCTION tide.admin_functions() RETURNS text[] LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN tide.operator_functions() || ARRAY['outbox_create', 'outbox_drop', 'outbox_enable', 'outbox_disable',
    'outbox_rotate', 'grant_publish', 'revoke_publish', 'grant_pipeline', 'revoke_pipeline', 'grant_relay', 'revoke_relay',
    'grant_admin', 'revoke_admin'];
END
$body$;

-- Let a role make and drop outboxes, configure all pipelines, and give rights.
CREATE FUNCTION tide.grant_admin(p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(true, ARRAY['USAGE ON SCHEMA tide', 'SELECT ON tide.outbox, tide.pipeline, tide.plugin, tide.schema_version',
    'SELECT, DELETE ON tide.dead_letter'], p_role);
  PERFORM tide.change_rights(true, tide.admin_functions(), p_role);
  PERFORM tide.change_rights(true, tide.pipeline_functions_of(o.number), p_role) FROM tide.outbox o;
END
$body$;

-- Take all of that away. A role that has another of these rights must be given that again: they overlap.
CREATE FUNCTION tide.revoke_admin(p_role text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.open_rights(p_role);
  PERFORM tide.change_table_rights(false, ARRAY['SELECT ON tide.outbox, tide.pipeline, tide.plugin, tide.schema_version',
    'SELECT, DELETE ON tide.dead_letter'], p_role);
  PERFORM tide.change_rights(false, tide.admin_functions(), p_role);
  PERFORM tide.change_rights(false, tide.pipeline_functions_of(o.number), p_role) FROM tide.outbox o;
END
$body$;

-- The roles that may execute a function, but its owner.
CREATE FUNCTION tide.grantees(p_function oid) RETURNS SETOF text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RETURN QUERY SELECT r.rolname::text FROM pg_proc p, aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
  WHERE p.oid = p_function AND a.grantee <> p.proowner;
END
$body$;

-- Give the relays' and administrators' roles their rights on an outbox that was just made.
CREATE FUNCTION tide.grant_new_outbox(p_number integer) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.change_rights(true, tide.relay_functions_of(p_number), g) FROM tide.grantees(to_regproc('tide.mark')) g;
  PERFORM tide.change_rights(true, tide.pipeline_functions_of(p_number), g)
  FROM tide.grantees(to_regproc('tide.outbox_create')) g;
END
$body$;

-- Take all rights on an outbox away, from everybody but the owner.
CREATE FUNCTION tide.revoke_outbox(p_number integer) RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM tide.change_rights(false, ARRAY[f.name], g) FROM tide.outbox_functions(p_number) f, tide.grantees(f.oid) g;
END
$body$;

-- Each role sees the outboxes and pipelines that it has a right on; relays and administrators see all.
ALTER TABLE tide.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY outbox_rights ON tide.outbox USING (
  pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.publish_' || number), 'EXECUTE')
  OR pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.pipeline_' || number), 'EXECUTE')
  OR pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.mark'), 'EXECUTE')
);
ALTER TABLE tide.pipeline ENABLE ROW LEVEL SECURITY;
CREATE POLICY pipeline_rights ON tide.pipeline USING (
  pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.pipeline_' || outbox_number), 'EXECUTE')
  OR pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.mark'), 'EXECUTE')
);
-- The dead letters of an outbox that was dropped are left to the administrators.
ALTER TABLE tide.dead_letter ENABLE ROW LEVEL SECURITY;
CREATE POLICY dead_letter_rights ON tide.dead_letter USING (
  pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.pipeline_' || outbox_number), 'EXECUTE')
  OR pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.mark'), 'EXECUTE')
  OR pg_catalog.has_function_privilege(pg_catalog.to_regproc('tide.outbox_create'), 'EXECUTE')
);
