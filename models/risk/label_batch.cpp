#include "models/risk/label_batch.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"

namespace pulse::labels {

namespace {

using json = nlohmann::ordered_json;

std::optional<uuid> id_in(const json& j, const char* name) {
  const auto it = j.find(name);
  if (it == j.end() || !it->is_string())
    return std::nullopt;
  const auto id = uuid::parse(it->get<std::string>());
  return id ? std::optional(*id) : std::nullopt;
}

std::optional<change> read_change(const json& j) {
  const auto id = j.is_object() ? id_in(j, "event") : std::nullopt;
  if (!id || !j.contains("fraud") || !j["fraud"].is_boolean() || !j.contains("entities") || !j["entities"].is_array())
    return std::nullopt;
  change out{event_id{*id}, {}, j["fraud"].get<bool>(), {}};
  if (const auto was = j.find("was"); was != j.end() && was->is_boolean())
    out.was = was->get<bool>();
  for (const auto& e : j["entities"]) {
    features::key k{};
    if (!e.is_string() || !from_hex(e.get<std::string>(), k))
      return std::nullopt;
    out.entities.push_back(k);
  }
  return out;
}

} // namespace

std::string encode(const batch& b) {
  auto list = json::array();
  for (const auto& c : b.changes) {
    auto entities = json::array();
    for (const auto& k : c.entities)
      entities.push_back(to_hex(k));
    list.push_back({{"event", c.id.str()},
                    {"was", c.was ? json(*c.was) : json(nullptr)},
                    {"fraud", c.fraud},
                    {"entities", std::move(entities)}});
  }
  return json{{"id", b.id.str()}, {"labels", std::move(list)}}.dump();
}

result<batch> decode(std::string_view bytes) {
  const error broken{ec::corrupt, "a batch of labels cannot be read", ""};
  const auto j = json::parse(bytes, nullptr, false);
  if (!j.is_object() || !j.contains("labels") || !j["labels"].is_array())
    return broken;
  const auto id = id_in(j, "id");
  if (!id)
    return broken;
  batch out{*id, {}};
  for (const auto& l : j["labels"]) {
    auto c = read_change(l);
    if (!c)
      return broken;
    out.changes.push_back(std::move(*c));
  }
  return out;
}

} // namespace pulse::labels
