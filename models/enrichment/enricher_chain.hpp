// The enrichment of an event: the tenant's mapping, then every enricher in turn. Pure; used by the enrichment child of
// a slot between to_event and scoring.
#pragma once

#include <memory>
#include <vector>

#include "models/enrichment/enricher.hpp"

namespace pulse {

class enricher_chain {
public:
  explicit enricher_chain(enrichment_data data);

  /// With other enrichers than the built-in ones; for tests.
  enricher_chain(enrichment_data data, std::vector<std::unique_ptr<enricher>> enrichers);

  /// Never loses the event: what fails leaves its field empty and adds a note. Bounded by the limits of events and
  /// mappings. Safe from several threads at once.
  void enrich(event& e, const raw_event& raw, const tenant_enrichment& tenant) const;

  const enrichment_data& data() const {
    return data_;
  }

private:
  enrichment_data data_;
  std::vector<std::unique_ptr<enricher>> enrichers_;
};

} // namespace pulse
