// How sure a share is, as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "models/rules/backtest.hpp"

namespace pulse::http {

/// Wilson's 95 % interval of `hits` of `all`: [low, high].
inline nlohmann::ordered_json interval_json(std::int64_t hits, std::int64_t all) {
  const auto i = rules::wilson(hits, all);
  return {i.low, i.high};
}

} // namespace pulse::http
