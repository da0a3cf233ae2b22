-- What a tenant says of its events afterwards (chargebacks, refunds, reviews): one label an event, the latest word.
CREATE TABLE label (
  tenant_id int NOT NULL REFERENCES tenant,
  event_id uuid NOT NULL,
  fraud boolean NOT NULL,
  reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 64),
  decided_at timestamptz NOT NULL,
  labelled_at timestamptz NOT NULL DEFAULT now(),
  labelled_by text NOT NULL,
  PRIMARY KEY (tenant_id, event_id)
);
CALL pulse_protect('label');
GRANT SELECT, DELETE ON label TO pulse_maintenance;
CREATE POLICY aged ON label FOR ALL TO pulse_maintenance USING (event_id < pulse_id_at(now() - interval '3 years'));

-- A chargeback names the order, weeks later.
CREATE INDEX event_order ON event (tenant_id, order_id) WHERE order_id IS NOT NULL;

-- The fraud model is a version like the others; so are a batch of labels, and a model that scores in shadow.
ALTER TABLE artifact DROP CONSTRAINT artifact_kind_check;
ALTER TABLE artifact ADD CONSTRAINT artifact_kind_check
  CHECK (kind IN ('mapping', 'model', 'rules', 'lists', 'fraud', 'labels', 'model_shadow', 'fraud_shadow'));
