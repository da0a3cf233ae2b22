// The values that a decision hung on, as text beside it; see decision.hpp.
#include <nlohmann/json.hpp>

#include "models/rules/decision.hpp"

namespace pulse::rules {

std::string keep_inputs(const rule_set& set, const input_values& values) {
  auto out = nlohmann::json::array();
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!set.inputs()[k].is_kept())
      continue;
    const auto& v = values[k];
    if (v.kind == value_kind::text)
      out.push_back(v.text);
    else if (v.kind == value_kind::number && v.number % 1'000'000 == 0)
      out.push_back(v.number / 1'000'000);
    else if (v.kind == value_kind::money)
      out.push_back(v.number);
    else
      out.push_back(nullptr);
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

result<void> restore_inputs(const rule_set& set, const subject& s, std::string_view kept,
                            std::deque<std::string>& texts, input_values& out) {
  const auto list = nlohmann::json::parse(kept, nullptr, false);
  const error broken{ec::corrupt, "the values kept with the decision are not those its rules asked for", {}};
  if (!list.is_array())
    return broken;
  std::size_t next = 0;
  for (std::size_t k = 0; k < out.size(); ++k) {
    const auto& i = set.inputs()[k];
    if (!i.is_kept())
      continue;
    if (next == list.size())
      return broken;
    const auto& v = list[next++];
    if (v.is_string())
      out[k] = value::of(std::string_view(texts.emplace_back(v.get<std::string>())));
    else if (!v.is_number_integer())
      out[k] = {};
    else if (i.type == type::money && s.of().amount)
      out[k] = value::money_micro(v.get<std::int64_t>(), s.of().amount->unit);
    else
      out[k] = value::whole(v.get<std::int64_t>());
  }
  if (next != list.size())
    return broken;
  return {};
}

} // namespace pulse::rules
