#include "models/slot/control.hpp"

#include <nlohmann/json.hpp>

namespace pulse::slot {

namespace {

/// The text under a name; nothing where it is no string.
std::optional<std::string> text(const nlohmann::json& j, const char* name) {
  const auto it = j.find(name);
  if (it == j.end() || !it->is_string())
    return std::nullopt;
  return it->get<std::string>();
}

/// 0 where it is no number.
std::int64_t number(const nlohmann::json& j, const char* name) {
  const auto it = j.find(name);
  return it == j.end() || !it->is_number_integer() ? 0 : it->get<std::int64_t>();
}

} // namespace

std::string encode_control(const control& c) {
  return nlohmann::ordered_json{{"id", c.id.str()}, {"kind", c.kind}, {"hash", c.hash}, {"version", c.version}}.dump();
}

result<control> decode_control(std::string_view body) {
  const auto j = nlohmann::json::parse(body, nullptr, false);
  const error bad{ec::corrupt, "a control record has id, kind and hash", ""};
  if (!j.is_object())
    return bad;
  const auto id = text(j, "id");
  const auto kind = text(j, "kind");
  const auto hash = text(j, "hash");
  if (!id || !kind || !hash)
    return bad;
  auto parsed = uuid::parse(*id);
  if (!parsed)
    return bad;
  return control{*parsed, *kind, *hash, number(j, "version")};
}

std::string* in_force::hash_of(std::string_view kind) {
  return kind == "mapping" ? &mapping
         : kind == "model" ? &model
         : kind == "rules" ? &rules
         : kind == "lists" ? &lists
                           : nullptr;
}

std::int64_t* in_force::version_of(std::string_view kind) {
  return kind == "mapping" ? &mapping_version
         : kind == "model" ? &model_version
         : kind == "rules" ? &rules_version
         : kind == "lists" ? &lists_version
                           : nullptr;
}

std::string encode_in_force(const in_force& f) {
  return nlohmann::ordered_json{{"v", 1},
                                {"mapping", f.mapping},
                                {"mapping_version", f.mapping_version},
                                {"model", f.model},
                                {"model_version", f.model_version},
                                {"rules", f.rules},
                                {"rules_version", f.rules_version},
                                {"lists", f.lists},
                                {"lists_version", f.lists_version},
                                {"currency", f.currency}}
      .dump();
}

result<in_force> decode_in_force(std::string_view bytes) {
  const auto j = nlohmann::json::parse(bytes, nullptr, false);
  if (!j.is_object() || j.value("v", 0) != 1)
    return error{ec::corrupt, "the image of what is in force cannot be read", ""};
  in_force out;
  out.mapping = text(j, "mapping").value_or("");
  out.mapping_version = number(j, "mapping_version");
  out.model = text(j, "model").value_or("");
  out.model_version = number(j, "model_version");
  out.rules = text(j, "rules").value_or("");
  out.rules_version = number(j, "rules_version");
  out.lists = text(j, "lists").value_or("");
  out.lists_version = number(j, "lists_version");
  out.currency = text(j, "currency").value_or("");
  return out;
}

} // namespace pulse::slot
