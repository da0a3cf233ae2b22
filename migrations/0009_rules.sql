-- Rules and lists are versions like mappings and models.
ALTER TABLE artifact DROP CONSTRAINT artifact_kind_check;
ALTER TABLE artifact ADD CONSTRAINT artifact_kind_check CHECK (kind IN ('mapping', 'model', 'rules', 'lists'));
