// A made-up shop for the watch: orders of three stores, their total and its revenue, by the hour.
#pragma once

#include <algorithm>
#include <cmath>

#include "models/detection/random.hpp"
#include "models/series/watch.hpp"
#include "tests/support/noise.hpp"

namespace pulse::test {

inline constexpr std::int64_t monday = 1'699'833'600'000;
inline constexpr std::size_t week = 168;

/// Orders of three stores with day and week, chance like that of counts, and the total with its revenue.
inline series::watch_question shop(std::size_t hours, std::uint64_t seed, double size = 1) {
  detection::random_stream random(seed, 0);
  series::watch_question q;
  q.from = {monday};
  q.lines = {{"orders", "", {}},
             {"revenue", "", {}},
             {"orders", "store=1", {}},
             {"orders", "store=2", {}},
             {"orders", "store=3", {}}};
  for (auto& l : q.lines)
    l.values.resize(hours);
  for (std::size_t i = 0; i < hours; ++i) {
    const auto at = static_cast<double>(i % 24);
    const auto usual = size * (150 + 120 * std::sin((at - 8) / 24 * 6.2831853)) * (i / 24 % 7 >= 5 ? 0.6 : 1);
    for (std::size_t store = 0; store < 3; ++store) {
      const auto mean = usual * (3 - static_cast<double>(store)) / 6;
      const auto x = std::max<std::int64_t>(0, std::llround(mean + std::sqrt(mean) * noise(random)));
      q.lines[2 + store].values[i] = x;
      q.lines[0].values[i] += x;
      q.lines[1].values[i] += 4'999 * x;
    }
  }
  q.fresh = hours - 24;
  return q;
}

/// Takes a share of a store's orders of an hour away, from the total and the revenue as well.
inline void lose(series::watch_question& q, std::size_t store, std::size_t hour, double share = 1) {
  auto& orders = q.lines[1 + store].values[hour];
  const auto lost = std::llround(static_cast<double>(orders) * share);
  q.lines[0].values[hour] -= lost;
  q.lines[1].values[hour] -= 4'999 * lost;
  orders -= lost;
}

} // namespace pulse::test
