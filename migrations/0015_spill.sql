-- Events that wait on a node's own disk while the log is away. It stands in the node's row so that it is known of a node
-- that has vanished. An older program does not write it.
ALTER TABLE node ADD COLUMN spilled bigint NOT NULL DEFAULT 0;
