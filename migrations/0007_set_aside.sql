-- Which records a replay of the log has to leave out: those that were set aside as poison or untried never moved the
-- tenant's state. Offsets count from the start of their log generation.
ALTER TABLE failed_event ADD COLUMN generation bigint NOT NULL DEFAULT 1;
CREATE INDEX failed_event_set_aside ON failed_event (tenant_id, generation, raw_offset)
  WHERE code IN ('poison', 'quarantined') AND stage <> 'store';
