-- Tenants, their keys and versions, and the log's positions.
CREATE TABLE tenant (
  tenant_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
  slot int NOT NULL,
  currency text CHECK (currency ~ '^[A-Z]{3}$'),
  timezone text NOT NULL DEFAULT 'UTC',
  rate int NOT NULL DEFAULT 1000 CHECK (rate >= 0),
  burst int NOT NULL DEFAULT 5000 CHECK (burst >= 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CALL pulse_protect('tenant');
CREATE POLICY node ON tenant FOR ALL TO pulse_node USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON tenant TO pulse_node;

-- A key is found by its public part; only the hash of the whole is kept.
CREATE TABLE api_key (
  tenant_id int NOT NULL REFERENCES tenant,
  key_id bigint GENERATED ALWAYS AS IDENTITY,
  public_id text NOT NULL UNIQUE,
  hash bytea NOT NULL CHECK (length(hash) = 32),
  scopes text[] NOT NULL CHECK (scopes <@ ARRAY['ingest', 'read', 'admin', 'publishable'] AND cardinality(scopes) > 0),
  test boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  PRIMARY KEY (tenant_id, key_id)
);
CALL pulse_protect('api_key');
CREATE POLICY node ON api_key FOR ALL TO pulse_node USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON api_key TO pulse_node;

-- Immutable versions named by the hash of their bytes: mappings, models.
CREATE TABLE artifact (
  tenant_id int NOT NULL REFERENCES tenant,
  kind text NOT NULL CHECK (kind IN ('mapping', 'model')),
  hash text NOT NULL,
  bytes bytea NOT NULL,
  card jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, kind, hash)
);
CALL pulse_protect('artifact');

-- The history of what was published. `live_from` is set by the slot's transaction when the control record takes effect.
CREATE TABLE artifact_version (
  tenant_id int NOT NULL REFERENCES tenant,
  kind text NOT NULL,
  version int NOT NULL,
  hash text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL DEFAULT '',
  live_from timestamptz,
  PRIMARY KEY (tenant_id, kind, version),
  FOREIGN KEY (tenant_id, kind, hash) REFERENCES artifact
);
CALL pulse_protect('artifact_version');

-- Control records that are stored but not known to be in the log yet; re-sent through `due` until they take effect.
CREATE TABLE control_pending (
  tenant_id int NOT NULL REFERENCES tenant,
  control_id uuid NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, control_id)
);
CALL pulse_protect('control_pending');

CREATE TABLE audit (
  tenant_id int NOT NULL REFERENCES tenant,
  audit_id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT now(),
  actor text NOT NULL,
  action text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, audit_id)
);
CALL pulse_protect('audit');

-- Work that is due, found without knowing the tenant. No payload, hence no row-level security.
CREATE TABLE due (
  tenant_id int NOT NULL,
  kind text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, kind)
);
CREATE INDEX due_at ON due (at);
GRANT SELECT, INSERT, UPDATE, DELETE ON due TO pulse_writer;
GRANT SELECT ON due TO pulse_node;

-- Positions: one row a slot, moved in the transaction of the batch, fenced by the epoch.
CREATE TABLE log_position (
  generation bigint NOT NULL,
  slot int NOT NULL,
  next_offset bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (generation, slot)
);
GRANT SELECT, INSERT, UPDATE ON log_position TO pulse_writer, pulse_node;
GRANT SELECT ON log_position TO pulse_reader;
