// See marginal.hpp.
#include "models/detection/marginal.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::detection {

column_tail::column_tail() {
  low.fill(-INFINITY);
  high.fill(INFINITY);
}

double column_tail::bits(float x) const {
  if (std::isnan(x))
    return mean;
  int reached = 0;
  for (std::size_t k = 0; k < steps; ++k)
    reached += (x > high[k]) + (x < low[k]);
  return reached * 0.5;
}

column_tail fit_column_tail(std::span<const float> sorted) {
  column_tail out;
  if (sorted.empty())
    return out;
  const auto n = sorted.size();
  for (std::size_t k = 0; k < column_tail::steps; ++k) {
    // As many as may lie as far out, less the one that is asked about: an unseen row counts itself.
    const auto share = std::exp2(-static_cast<double>(k + 1) / 2) / 2;
    const auto room = std::floor(share * static_cast<double>(n + 1)) - 1;
    if (room < 0)
      break;
    const auto m = static_cast<std::size_t>(room);
    out.high[k] = sorted[n - 1 - m];
    out.low[k] = sorted[m];
  }
  double sum = 0;
  for (auto x : sorted)
    sum += out.bits(x);
  out.mean = sum / static_cast<double>(n);
  return out;
}

void write_column_tail(binary::writer& out, const column_tail& t) {
  for (auto x : t.low)
    out.put(x);
  for (auto x : t.high)
    out.put(x);
  out.put(t.mean);
}

std::optional<column_tail> read_column_tail(binary::reader& in) {
  column_tail t;
  for (auto& x : t.low)
    x = in.get<float>();
  for (auto& x : t.high)
    x = in.get<float>();
  t.mean = in.get<double>();
  const auto bad = [](float x) {
    return std::isnan(x);
  };
  if (!in.ok() || !(t.mean >= 0) || !(t.mean <= column_tail::steps) || std::any_of(t.low.begin(), t.low.end(), bad) ||
      std::any_of(t.high.begin(), t.high.end(), bad))
    return std::nullopt;
  return t;
}

} // namespace pulse::detection
