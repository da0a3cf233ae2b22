-- Which log generation went on as which other (`pulse migrate log`). A log that was left is never served again: its
-- successor has the tenants' state. No tenant's rows and no payload, hence no row-level security.
CREATE TABLE log_migration (
  from_generation bigint PRIMARY KEY,
  to_generation bigint NOT NULL UNIQUE,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  tenants bigint NOT NULL,
  images bigint NOT NULL,
  CHECK (from_generation <> to_generation)
);
GRANT SELECT, INSERT ON log_migration TO pulse_writer;
GRANT SELECT ON log_migration TO pulse_node;
