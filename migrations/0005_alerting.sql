-- What alerting keeps so that its state is in the database alone and is right after any crash.
-- Networks besides the public internet that this tenant's webhooks may reach: CIDRs parted by commas. Set by operators.
ALTER TABLE tenant ADD COLUMN webhook_allow text NOT NULL DEFAULT '';

-- When an alert became 'told' or 'held', and the summary that told of a held one.
ALTER TABLE alert ADD COLUMN decided_at timestamptz;
ALTER TABLE alert ADD COLUMN summary_id uuid;
CREATE INDEX alert_decided ON alert (tenant_id, decided_at) WHERE state = 'told';
CREATE INDEX alert_held ON alert (tenant_id, decided_at) WHERE state = 'held' AND summary_id IS NULL;

-- A claim moves next_at to the lease's end, so that this index alone says what is due, an endpoint at a time.
CREATE INDEX delivery_lane ON delivery (tenant_id, endpoint_id, next_at) WHERE state = 'pending';

-- What became of the delivery by this attempt: delivered, retry, failed, disabled, stale.
ALTER TABLE attempt ADD COLUMN outcome text NOT NULL DEFAULT 'retry';
