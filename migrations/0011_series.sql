-- How far a tenant's metric series were judged. Alerts of what was found stand in `alert` like any other.
CREATE TABLE series_watch (
  tenant_id int NOT NULL REFERENCES tenant,
  judged_to timestamptz NOT NULL,
  PRIMARY KEY (tenant_id)
);
CALL pulse_protect('series_watch');

-- Tenants that are here already; later ones are due from their first stored event on. The owner itself sees no tenant.
SET LOCAL ROLE pulse_node;
CREATE TEMPORARY TABLE here_already ON COMMIT DROP AS SELECT tenant_id FROM tenant WHERE deleted_at IS NULL;
RESET ROLE;
INSERT INTO due (tenant_id, kind, at) SELECT tenant_id, 'series', now() FROM here_already ON CONFLICT DO NOTHING;
