#include "models/rules/document.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "models/event/json_index.hpp"

namespace pulse::rules {

nlohmann::json read_json_object(std::string_view text, std::size_t bytes_max, std::string_view what,
                                std::vector<problem>& problems) {
  const nlohmann::json none(nlohmann::json::value_t::discarded);
  const auto refuse = [&](std::string_view code, std::string pointer, std::string detail) {
    problems.push_back({std::string(code), std::move(pointer), std::move(detail), 0, 0});
    return none;
  };
  if (text.size() > bytes_max)
    return refuse("too_large", "", fmt::format("{} has at most {} bytes", what, bytes_max));
  // Its limits on depth come first: the document type below recurses.
  json_index index;
  if (const auto fault = index.parse(text); fault != json_fault::none) {
    const auto code = fault == json_fault::not_object ? "wrong_type"
                      : fault == json_fault::syntax   ? "not_json"
                                                      : "too_large";
    return refuse(code, index.fault_pointer(), fmt::format("{} is a JSON object: {}", what, index.fault_detail()));
  }
  auto document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object())
    return refuse("not_json", "", fmt::format("{} is a JSON object", what));
  for (const auto& node : index.nodes())
    if (node.duplicate && problems.size() < problems_max)
      refuse("duplicate_key", index.pointer(&node), fmt::format("`{}` stands twice", node.key));
  return document;
}

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), plain);
}

} // namespace pulse::rules
