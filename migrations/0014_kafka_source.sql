-- A tenant's own topics that are read as its events. `holder`: who reads it now, by a claim that runs out; found by
-- `due` (kind `source:ID`), so by the node that holds the tenant's slot.
CREATE TABLE source (
  tenant_id int NOT NULL REFERENCES tenant,
  source_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('kafka')),
  -- Without secrets; those stand in a column of their own, which no list reads.
  config jsonb NOT NULL,
  secrets jsonb NOT NULL DEFAULT '{}',
  paused boolean NOT NULL DEFAULT false,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  holder text,
  held_until timestamptz NOT NULL DEFAULT '-infinity',
  state text NOT NULL DEFAULT 'starting',
  code text NOT NULL DEFAULT '',
  detail text NOT NULL DEFAULT '',
  state_at timestamptz NOT NULL DEFAULT now(),
  accepted bigint NOT NULL DEFAULT 0,
  refused bigint NOT NULL DEFAULT 0,
  last_record_at timestamptz,
  PRIMARY KEY (tenant_id, source_id)
);
CALL pulse_protect('source');

-- How far each partition was read. Moved when the events before it are acknowledged by the log, never back within a
-- topic; `topic_id` is Kafka's own, another one begins anew.
CREATE TABLE source_position (
  tenant_id int NOT NULL,
  source_id uuid NOT NULL,
  topic_partition int NOT NULL,
  topic_id text NOT NULL,
  next_offset bigint NOT NULL CHECK (next_offset >= 0),
  end_offset bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, source_id, topic_partition),
  FOREIGN KEY (tenant_id, source_id) REFERENCES source ON DELETE CASCADE
);
CALL pulse_protect('source_position');
