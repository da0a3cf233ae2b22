#include "models/enrichment/country_table.hpp"

#include <nlohmann/json.hpp>

namespace pulse {

namespace {

/// Names that shops write and the standard does not have.
constexpr std::pair<std::string_view, std::string_view> aliases[] = {
    {"uk", "GB"},
    {"great britain", "GB"},
    {"england", "GB"},
    {"scotland", "GB"},
    {"wales", "GB"},
    {"northern ireland", "GB"},
    {"eire", "IE"},
    {"republic of ireland", "IE"},
    {"rsa", "ZA"},
    {"russia", "RU"},
    {"south korea", "KR"},
    {"north korea", "KP"},
    {"czech republic", "CZ"},
    {"holland", "NL"},
    {"the netherlands", "NL"},
    {"united states of america", "US"},
    {"u.s.a.", "US"},
    {"u.s.", "US"},
    {"u.k.", "GB"},
    {"uae", "AE"},
    {"turkey", "TR"},
    {"ivory coast", "CI"},
    {"macau", "MO"},
    {"vatican", "VA"},
    {"kosovo", "XK"},
    {"xk", "XK"},
};

std::string folded(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos)
    return {};
  std::string out(text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1));
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return out;
}

} // namespace

result<country_table> country_table::load(std::string_view json) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("3166-1") || !document["3166-1"].is_array())
    return error{ec::malformed, "not the table iso_3166-1.json of iso-codes: no list `3166-1`", "/3166-1"};
  country_table out;
  for (const auto& entry : document["3166-1"]) {
    if (!entry.is_object() || !entry.contains("alpha_2") || !entry["alpha_2"].is_string())
      continue;
    const auto code = entry["alpha_2"].get<std::string>();
    for (auto field : {"alpha_2", "alpha_3", "numeric", "name", "official_name", "common_name"})
      if (entry.contains(field) && entry[field].is_string())
        out.codes_.emplace(folded(entry[field].get<std::string>()), code);
  }
  for (const auto& [name, code] : aliases)
    out.codes_.emplace(name, code);
  return out;
}

std::string_view country_table::find(std::string_view text) const {
  const auto found = codes_.find(folded(text));
  return found == codes_.end() ? std::string_view{} : found->second;
}

} // namespace pulse
