#include "models/slot/control.hpp"

#include <iterator>
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

namespace {

/// A kind with its place in what is in force.
struct kind_place {
  std::string_view kind;
  std::string in_force::*hash;
  std::int64_t in_force::*version;
};

constexpr kind_place places[] = {
    {"mapping", &in_force::mapping, &in_force::mapping_version},
    {"model", &in_force::model, &in_force::model_version},
    {"rules", &in_force::rules, &in_force::rules_version},
    {"lists", &in_force::lists, &in_force::lists_version},
    {"fraud", &in_force::fraud, &in_force::fraud_version},
    {"model_shadow", &in_force::model_shadow, &in_force::model_shadow_version},
    {"fraud_shadow", &in_force::fraud_shadow, &in_force::fraud_shadow_version},
};

static_assert(std::size(places) == std::size(version_kinds));

} // namespace

std::string* in_force::hash_of(std::string_view kind) {
  for (const auto& p : places)
    if (p.kind == kind)
      return &(this->*p.hash);
  return nullptr;
}

std::int64_t* in_force::version_of(std::string_view kind) {
  for (const auto& p : places)
    if (p.kind == kind)
      return &(this->*p.version);
  return nullptr;
}

std::string encode_in_force(const in_force& f) {
  nlohmann::ordered_json out{{"v", 1}};
  for (const auto& p : places) {
    const std::string kind(p.kind);
    out[kind] = f.*p.hash;
    out[kind + "_version"] = f.*p.version;
  }
  out["currency"] = f.currency;
  return out.dump();
}

result<in_force> decode_in_force(std::string_view bytes) {
  const auto j = nlohmann::json::parse(bytes, nullptr, false);
  if (!j.is_object() || j.value("v", 0) != 1)
    return error{ec::corrupt, "the image of what is in force cannot be read", ""};
  in_force out;
  for (const auto& p : places) {
    const std::string kind(p.kind);
    out.*p.hash = text(j, kind.c_str()).value_or("");
    out.*p.version = number(j, (kind + "_version").c_str());
  }
  out.currency = text(j, "currency").value_or("");
  return out;
}

} // namespace pulse::slot
