// Data that all tenants' children share: read once at start, immutable.
#pragma once

#include <memory>

#include "models/detection/model.hpp"
#include "models/enrichment/enricher_chain.hpp"

namespace pulse::slot {

struct shared_data {
  shared_data(enrichment_data data, std::shared_ptr<const detection::model> stand_in) :
    enrichers(std::move(data)), pooled(std::move(stand_in)) {
  }

  enricher_chain enrichers;
  /// Scores for tenants without a model of their own; null: their events pass as degraded.
  std::shared_ptr<const detection::model> pooled;
};

} // namespace pulse::slot
