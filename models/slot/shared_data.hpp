// Data that all tenants' children share: read once at start, immutable.
#pragma once

#include "models/enrichment/enricher_chain.hpp"

namespace pulse::slot {

struct shared_data {
  explicit shared_data(enrichment_data data) : enrichers(std::move(data)) {
  }

  enricher_chain enrichers;
};

} // namespace pulse::slot
