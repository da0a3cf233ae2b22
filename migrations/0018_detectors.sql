-- Settings of the watch over metrics are versions, as rules are.
ALTER TABLE artifact DROP CONSTRAINT artifact_kind_check;
ALTER TABLE artifact ADD CONSTRAINT artifact_kind_check
  CHECK (kind IN ('mapping', 'model', 'rules', 'lists', 'fraud', 'labels', 'model_shadow', 'fraud_shadow', 'detectors'));
