-- Roles without log-in and without any bypass; the program's one user may become each of them and no other.
--   pulse_reader  reads one tenant's rows: the tenant set in app.tenant.
--   pulse_writer  reads and writes the rows of the tenants listed in app.tenants.
--   pulse_node    finds keys, tenants and what is due, of all tenants; sees no event.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['pulse_reader', 'pulse_writer', 'pulse_node'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', name);
    END IF;
    EXECUTE format('GRANT %I TO %I', name, current_user);
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), name);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
  END LOOP;
END $$;

-- The reader's tenant. Unset or empty raises: a query without a tenant is a fault, not an empty answer.
CREATE FUNCTION pulse_tenant() RETURNS int LANGUAGE sql STABLE PARALLEL SAFE
RETURN current_setting('app.tenant')::int;

-- Puts a tenant's table under row-level security, forced on its owner too, with the reader's and the writer's policy.
-- The writer's list is a sub-select, so that it is computed once a query; the cast stands outside of it.
CREATE PROCEDURE pulse_protect(tbl regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tbl);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tbl);
  EXECUTE format('CREATE POLICY reader ON %s FOR SELECT TO pulse_reader '
    || 'USING (tenant_id = current_setting(''app.tenant'')::int)', tbl);
  EXECUTE format('CREATE POLICY writer ON %s FOR ALL TO pulse_writer '
    || 'USING (tenant_id = ANY ((SELECT string_to_array(current_setting(''app.tenants''), '',''))::int[])) '
    || 'WITH CHECK (tenant_id = ANY ((SELECT string_to_array(current_setting(''app.tenants''), '',''))::int[]))', tbl);
  EXECUTE format('GRANT SELECT ON %s TO pulse_reader', tbl);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO pulse_writer', tbl);
END $$;
