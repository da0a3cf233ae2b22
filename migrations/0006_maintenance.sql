-- What is kept for a time only. The role sees nothing but what is over its age, so that no mistake of the job that
-- runs under it can delete more.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pulse_maintenance') THEN
    CREATE ROLE pulse_maintenance NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
  END IF;
  EXECUTE format('GRANT pulse_maintenance TO %I', current_user);
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO pulse_maintenance', current_database());
  GRANT USAGE ON SCHEMA public TO pulse_maintenance;
END $$;

GRANT SELECT, DELETE ON rollup_minute, message_seen, failed_event, event TO pulse_maintenance;
CREATE POLICY aged ON rollup_minute FOR ALL TO pulse_maintenance USING (bucket < now() - interval '14 days');
CREATE POLICY aged ON message_seen FOR ALL TO pulse_maintenance USING (seen_at < now() - interval '7 days');
CREATE POLICY aged ON failed_event FOR ALL TO pulse_maintenance USING (received_at < now() - interval '30 days');
-- Events of test keys.
CREATE POLICY aged ON event FOR ALL TO pulse_maintenance USING (test AND received_at < now() - interval '7 days');
