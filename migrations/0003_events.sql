-- Events, what is counted of them, and what became of every raw record.
CREATE TABLE event (
  tenant_id int NOT NULL,
  event_id uuid NOT NULL,
  message_id text,
  type text NOT NULL,
  name text NOT NULL,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(),
  test boolean NOT NULL,
  customer text,
  anonymous_id text,
  store text,
  campaign text,
  products jsonb,
  order_id text,
  amount_minor bigint,
  currency text,
  country text,
  region text,
  city text,
  device text,
  browser text,
  os text,
  bot boolean NOT NULL,
  referrer text,
  -- Thousandths, so that sums are exact in any order.
  risk_milli int NOT NULL,
  risk_level text NOT NULL,
  risk_outcome text NOT NULL,
  anomaly double precision,
  model text,
  degraded boolean NOT NULL,
  risk_parts jsonb NOT NULL,
  features bytea,
  flagged boolean NOT NULL,
  properties jsonb NOT NULL,
  context jsonb NOT NULL,
  provenance jsonb,
  notes jsonb,
  trace_id uuid NOT NULL,
  node text NOT NULL,
  raw_slot int NOT NULL,
  raw_offset bigint NOT NULL,
  PRIMARY KEY (tenant_id, event_id)
) PARTITION BY RANGE (event_id);
CALL pulse_protect('event');

-- The lowest id of version 7's layout at a time.
CREATE FUNCTION pulse_id_at(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN rpad(lpad(to_hex(greatest(0, floor(extract(epoch FROM at) * 1000))::bigint), 12, '0'), 32, '0')::uuid;

-- Makes the weekly partitions of [from, to); those that exist stay. A week starts on a Monday in UTC.
CREATE PROCEDURE pulse_make_partitions(from_at timestamptz, to_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
  week timestamptz := date_trunc('week', from_at, 'UTC');
  name text;
BEGIN
  WHILE week < to_at LOOP
    name := 'event_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES FROM (%L) TO (%L)',
                     name, pulse_id_at(week), pulse_id_at(week + interval '7 days'));
      -- Nobody is granted a partition; should somebody be, it shows nothing.
      EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
      EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END IF;
    week := week + interval '7 days';
  END LOOP;
END $$;

-- Deduplicates events whose id was minted at the door. Kept 7 days.
CREATE TABLE message_seen (
  tenant_id int NOT NULL,
  hash bytea NOT NULL,
  event_id uuid NOT NULL,
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX message_seen_at ON message_seen (seen_at);
CALL pulse_protect('message_seen');

CREATE TABLE failed_event (
  tenant_id int NOT NULL,
  failed_id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  stage text NOT NULL,
  code text NOT NULL,
  detail text NOT NULL,
  pointer text NOT NULL,
  message_id text,
  trace_id uuid,
  raw_slot int NOT NULL,
  raw_offset bigint NOT NULL,
  body bytea NOT NULL,
  replayed_at timestamptz,
  PRIMARY KEY (tenant_id, failed_id)
);
CALL pulse_protect('failed_event');

-- What became of every raw record below the position, by tenant: raw = stored + duplicates + failed + control + dropped.
CREATE TABLE ledger (
  tenant_id int NOT NULL,
  generation bigint NOT NULL,
  slot int NOT NULL,
  raw bigint NOT NULL DEFAULT 0,
  stored bigint NOT NULL DEFAULT 0,
  duplicates bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  control bigint NOT NULL DEFAULT 0,
  dropped bigint NOT NULL DEFAULT 0,
  last_offset bigint NOT NULL DEFAULT -1,
  image_as_of bigint NOT NULL DEFAULT -1,
  PRIMARY KEY (tenant_id, generation),
  CHECK (raw = stored + duplicates + failed + control + dropped)
);
CALL pulse_protect('ledger');
CREATE POLICY node ON ledger FOR SELECT TO pulse_node USING (true);
GRANT SELECT ON ledger TO pulse_node;

-- A chunk of a tenant's scoring state after everything up to and including as_of.
CREATE TABLE state_image (
  tenant_id int NOT NULL,
  generation bigint NOT NULL,
  chunk int NOT NULL,
  as_of bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (tenant_id, generation, chunk)
);
CALL pulse_protect('state_image');

-- Additive measures by the total and one dimension each. dim: 'total', 'store', 'campaign', 'product', 'country',
-- 'device', 'name'. Money in minor units of the row's currency; line_micro in millionths (sum of price x quantity).
CREATE TABLE rollup_minute (
  tenant_id int NOT NULL,
  dim text NOT NULL,
  bucket timestamptz NOT NULL,
  value text NOT NULL,
  currency text NOT NULL,
  events bigint NOT NULL,
  orders bigint NOT NULL,
  revenue_minor bigint NOT NULL,
  refunds_minor bigint NOT NULL,
  line_micro bigint NOT NULL,
  anomalies bigint NOT NULL,
  risk_milli bigint NOT NULL,
  PRIMARY KEY (tenant_id, dim, bucket, value, currency)
);
CALL pulse_protect('rollup_minute');
CREATE TABLE rollup_quarter (LIKE rollup_minute INCLUDING ALL);
CALL pulse_protect('rollup_quarter');
