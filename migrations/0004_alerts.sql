-- Alerts, who is told, and every attempt to tell them.
CREATE TABLE incident (
  tenant_id int NOT NULL,
  incident_id uuid NOT NULL,
  dedup_key text NOT NULL,
  title text NOT NULL,
  severity text NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'resolved')),
  opened_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  alerts bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, incident_id)
);
CREATE UNIQUE INDEX incident_open ON incident (tenant_id, dedup_key) WHERE state <> 'resolved';
CALL pulse_protect('incident');

-- A candidate is written by the slot's transaction in state 'new'; the tenant's alerting actor decides the rest.
CREATE TABLE alert (
  tenant_id int NOT NULL,
  alert_id uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  type text NOT NULL,
  event_id uuid,
  incident_id uuid,
  severity text NOT NULL,
  title text NOT NULL,
  summary text NOT NULL,
  data jsonb NOT NULL,
  trace_id uuid,
  -- new: not looked at; told: deliveries exist; held: over the hourly limit, part of a summary.
  state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'told', 'held')),
  PRIMARY KEY (tenant_id, alert_id)
);
CREATE INDEX alert_new ON alert (tenant_id, created_at) WHERE state = 'new';
CREATE INDEX alert_listed ON alert (tenant_id, created_at, alert_id);
CALL pulse_protect('alert');

CREATE TABLE endpoint (
  tenant_id int NOT NULL REFERENCES tenant,
  endpoint_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('webhook')),
  url text NOT NULL,
  types text[] NOT NULL DEFAULT '{}',
  description text NOT NULL DEFAULT '',
  secret text NOT NULL,
  previous_secret text,
  previous_until timestamptz,
  state text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
  disabled_reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, endpoint_id)
);
CALL pulse_protect('endpoint');

-- One per alert and endpoint. A claim has a lease; its result is written WHERE attempt = the claimed one.
CREATE TABLE delivery (
  tenant_id int NOT NULL,
  delivery_id uuid NOT NULL,
  alert_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
  attempt int NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL,
  lease_until timestamptz,
  replay boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, delivery_id),
  FOREIGN KEY (tenant_id, endpoint_id) REFERENCES endpoint ON DELETE CASCADE
);
CREATE INDEX delivery_pending ON delivery (tenant_id, next_at) WHERE state = 'pending';
CREATE INDEX delivery_of_alert ON delivery (tenant_id, alert_id);
CALL pulse_protect('delivery');

CREATE TABLE attempt (
  tenant_id int NOT NULL,
  delivery_id uuid NOT NULL,
  attempt int NOT NULL,
  endpoint_id uuid NOT NULL,
  alert_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  status int,
  error text,
  seconds double precision NOT NULL,
  reply_head text,
  PRIMARY KEY (tenant_id, delivery_id, attempt),
  FOREIGN KEY (tenant_id, delivery_id) REFERENCES delivery ON DELETE CASCADE
);
CREATE INDEX attempt_of_endpoint ON attempt (tenant_id, endpoint_id, at);
CALL pulse_protect('attempt');
