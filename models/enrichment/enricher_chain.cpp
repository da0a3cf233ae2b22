#include "models/enrichment/enricher_chain.hpp"

#include <exception>
#include <fmt/format.h>

#include "models/event/standard_fields.hpp"

namespace pulse {

namespace {

constexpr json_limits read_limits{64, 1024};

std::vector<std::unique_ptr<enricher>> make_enrichers() {
  std::vector<std::unique_ptr<enricher>> out;
  out.push_back(make_country_enricher());
  out.push_back(make_device_enricher());
  out.push_back(make_campaign_enricher());
  out.push_back(make_store_enricher());
  return out;
}

} // namespace

enricher_chain::enricher_chain(enrichment_data data) : enricher_chain(std::move(data), make_enrichers()) {
}

enricher_chain::enricher_chain(enrichment_data data, std::vector<std::unique_ptr<enricher>> enrichers) :
  data_(std::move(data)), enrichers_(std::move(enrichers)) {
}

void enricher_chain::enrich(event& e, const raw_event& raw, const tenant_enrichment& tenant) const {
  note_sink notes(&e.notes);
  if (tenant.mapping != nullptr)
    tenant.mapping->apply(e, tenant.currency);
  thread_local json_index properties;
  thread_local json_index context;
  if (properties.parse_in_place(e.properties, read_limits) != json_fault::none ||
      context.parse_in_place(e.context, read_limits) != json_fault::none) {
    notes.add("enrichment_failed", "", "properties or context can't be read");
    return;
  }
  const enrichment_input input{raw, data_, properties, context};
  for (const auto& step : enrichers_) {
    // A library may throw; an event is worth more than one field of it.
    try {
      if (const auto done = step->enrich(e, input); !done)
        notes.add("enrichment_failed", done.err().pointer, fmt::format("{}: {}", step->name(), done.err().detail));
    } catch (const std::exception& problem) {
      notes.add("enrichment_failed", "", fmt::format("{}: {}", step->name(), problem.what()));
    }
  }
}

bool fill_field(event& e, std::string event::*member, std::string_view field, std::string_view value,
                std::string_view rule) {
  if (value.empty() || !(e.*member).empty())
    return false;
  e.*member = cut_utf8(value, 512);
  e.origins.push_back({std::string(field), std::string(rule)});
  return true;
}

} // namespace pulse
