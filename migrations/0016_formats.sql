-- Which formats of files each node reads, so that the nodes of one cluster write none that another cannot load. Said by the
-- run that `formats_run` names: an older program does not write these columns, and its runs read the first formats.
-- `older_until`: when a run of this node that read less was last heard of.
ALTER TABLE node
  ADD COLUMN formats int NOT NULL DEFAULT 1,
  ADD COLUMN formats_run text,
  ADD COLUMN older_until timestamptz NOT NULL DEFAULT 'epoch';
