// Reading the JSON documents of rules and lists: what the two have in common.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/rules/lexer.hpp"

namespace pulse::rules {

/// The text as a JSON object within the limits on size and depth, the problems noted (`not_json` for what is no JSON at
/// all, also a key that stands twice); discarded when it is none.
nlohmann::json read_json_object(std::string_view text, std::size_t bytes_max, std::string_view what,
                                std::vector<problem>& problems);

/// Letters, digits, `_` and `-`, at most 64.
bool is_plain_name(std::string_view name);

} // namespace pulse::rules
