#include "models/enrichment/mapping_preview.hpp"

#include <nlohmann/json.hpp>

#include "models/event/event_json.hpp"

namespace pulse {

namespace {

using json = nlohmann::json;

json document_of(const event& e) {
  return {{"properties", json::parse(e.properties, nullptr, false)},
          {"context", json::parse(e.context, nullptr, false)},
          {"order_id", e.order_id.empty() ? json() : json(e.order_id)},
          {"amount", e.amount ? json::parse(money_json(*e.amount)) : json()},
          {"products", json::parse(products_json(e.products))}};
}

} // namespace

mapping_preview preview_mapping(const compiled_mapping& mapping, const event& before, currency fallback) {
  auto after = before;
  mapping.apply(after, fallback);
  const auto was = document_of(before);
  const auto is = document_of(after);
  mapping_preview out;
  for (const auto& step : json::diff(was, is)) {
    const auto pointer = step.at("path").get<std::string>();
    const json::json_pointer at(pointer);
    mapping_change change{step.at("op"), pointer, "", ""};
    if (change.op != "add")
      change.before = was.at(at).dump();
    if (change.op != "remove")
      change.after = step.at("value").dump();
    out.changes.push_back(std::move(change));
  }
  out.warnings.assign(after.notes.begin() + static_cast<std::ptrdiff_t>(before.notes.size()), after.notes.end());
  return out;
}

} // namespace pulse
