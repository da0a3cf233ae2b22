-- Drops the weekly partitions of events that end at or before a time. The program refuses events older than its horizon
-- before it asks for this, so that nothing falls into a gap.
CREATE PROCEDURE pulse_drop_partitions(before timestamptz) LANGUAGE plpgsql AS $$
DECLARE
  name text;
BEGIN
  FOR name IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'event'::regclass AND c.relname ~ '^event_[0-9]{8}$'
      AND (to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC') + interval '7 days' <= before
    ORDER BY 1
  LOOP
    EXECUTE format('DROP TABLE %I', name);
  END LOOP;
END $$;
