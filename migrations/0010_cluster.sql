-- Who is there, who owns what, and why it was moved: how the nodes of a cluster agree. All times are this database's own.
-- No tenant's rows and no payload, hence no row-level security; the node role alone sees them.

-- One row a node, kept over its restarts. A run of the program is an incarnation.
CREATE TABLE node (
  node text PRIMARY KEY CHECK (length(node) BETWEEN 1 AND 64),
  incarnation text NOT NULL,
  address text NOT NULL DEFAULT '',
  version text NOT NULL DEFAULT '',
  roles text[] NOT NULL,
  capacity double precision NOT NULL CHECK (capacity > 0),
  load double precision NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'draining', 'left')),
  drain_wanted boolean NOT NULL DEFAULT false,
  heartbeat_at timestamptz NOT NULL
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON node TO pulse_node;

-- One row a slot, and the leader's (-1). Free: without a node. `heading`: who should hold it, by the leader's word.
-- `taken_from`: the run that it was taken from, empty again after a release.
CREATE TABLE slot_lease (
  generation bigint NOT NULL,
  slot int NOT NULL CHECK (slot >= -1),
  node text,
  incarnation text,
  epoch bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL DEFAULT '-infinity',
  heading text,
  load double precision NOT NULL DEFAULT 0,
  taken_from text,
  PRIMARY KEY (generation, slot),
  CHECK ((node IS NULL) = (incarnation IS NULL))
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON slot_lease TO pulse_node;

-- Why each past move was made; kept for 90 days.
CREATE TABLE move_history (
  move_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  generation bigint NOT NULL,
  slot int NOT NULL,
  from_node text,
  to_node text NOT NULL,
  leader text NOT NULL,
  leader_epoch bigint NOT NULL,
  load double precision NOT NULL,
  reason text NOT NULL
);
CREATE INDEX move_history_at ON move_history (at);
GRANT SELECT, INSERT, DELETE ON move_history TO pulse_node;
