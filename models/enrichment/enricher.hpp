// One enricher derives one group of fields. To add one: a file with a class like these, and a line in
// `make_enrichers` (enricher_chain.cpp).
#pragma once

#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "models/enrichment/country_table.hpp"
#include "models/enrichment/geo_table.hpp"
#include "models/enrichment/mapping.hpp"
#include "models/event/event.hpp"
#include "models/event/json_index.hpp"

namespace pulse {

/// Data that all tenants share, read by the node at start and renewed by control records. Either may be null: then
/// what needs it stays as it was given, or empty.
struct enrichment_data {
  std::shared_ptr<const country_table> countries;
  std::shared_ptr<const geo_table> geo;
};

/// What belongs to one tenant.
struct tenant_enrichment {
  /// Null for none.
  std::shared_ptr<const compiled_mapping> mapping;
  /// For amounts without one; empty where the tenant has none yet.
  pulse::currency currency;
};

struct enrichment_input {
  const raw_event& raw;
  const enrichment_data& data;
  /// The event's documents after the mapping.
  const json_index& properties;
  const json_index& context;
};

class enricher {
public:
  virtual ~enricher() = default;

  /// For notes and metrics.
  virtual std::string_view name() const = 0;

  /// Fills fields that are still empty, each with its provenance, and only when all of it worked. What the mapping set
  /// stays. An error leaves the fields empty and becomes a note `enrichment_failed`.
  virtual result<void> enrich(event& e, const enrichment_input& input) const = 0;
};

std::unique_ptr<enricher> make_country_enricher();
std::unique_ptr<enricher> make_device_enricher();
std::unique_ptr<enricher> make_campaign_enricher();
std::unique_ptr<enricher> make_store_enricher();

/// Sets an empty field and says where from; false when there was something already or nothing to set.
bool fill_field(event& e, std::string event::*member, std::string_view field, std::string_view value,
                std::string_view rule);

} // namespace pulse
