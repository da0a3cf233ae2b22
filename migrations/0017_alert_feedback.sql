-- What people say of alerts afterwards, the latest word of each; it goes with its alert.
CREATE TABLE alert_feedback (
  tenant_id int NOT NULL,
  alert_id uuid NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('useful', 'false_alarm')),
  note text NOT NULL DEFAULT '',
  -- Since when the verdict stands.
  judged_at timestamptz NOT NULL DEFAULT now(),
  judged_by text NOT NULL,
  PRIMARY KEY (tenant_id, alert_id),
  FOREIGN KEY (tenant_id, alert_id) REFERENCES alert ON DELETE CASCADE
);
CREATE INDEX alert_feedback_judged ON alert_feedback (tenant_id, judged_at);
CALL pulse_protect('alert_feedback');

-- Why an alert is 'held' that no summary tells of: what was said of the like. NULL: over the hourly limit.
ALTER TABLE alert ADD COLUMN held_reason text;
