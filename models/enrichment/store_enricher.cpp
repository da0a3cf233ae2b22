// Store: which of a tenant's shops an event is about. The event's own `store`, else Segment's `affiliation`, else what
// the client's context says.
#include "models/enrichment/enricher.hpp"
#include "models/event/standard_fields.hpp"

namespace pulse {

namespace {

class store_enricher final : public enricher {
public:
  std::string_view name() const override {
    return "store";
  }

  result<void> enrich(event& e, const enrichment_input& input) const override {
    const auto fill = [&](const json_node* node, std::string_view rule) {
      fill_field(e, &event::store, "store", read_id(node), rule);
    };
    fill(input.properties.at({"store"}), "properties.store");
    fill(input.properties.at({"store_id"}), "properties.store_id");
    fill(input.properties.at({"affiliation"}), "affiliation");
    fill(input.context.at({"store"}), "context.store");
    fill(input.context.at({"store", "id"}), "context.store");
    fill(input.context.at({"store", "name"}), "context.store");
    return {};
  }
};

} // namespace

std::unique_ptr<enricher> make_store_enricher() {
  return std::make_unique<store_enricher>();
}

} // namespace pulse
