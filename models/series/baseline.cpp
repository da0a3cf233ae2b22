// See baseline.hpp.
#include "models/series/baseline.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::series {

double half_life_weight(double points) {
  return 1 - std::exp2(-1 / points);
}

double points_per_day(std::int64_t step_ms) {
  return std::clamp(static_cast<double>(day_ms) / static_cast<double>(step_ms), 24.0, 500.0);
}

time_ms to_local(time_ms t, const std::vector<zone_offset>& zone) {
  if (zone.empty())
    return t;
  const auto after =
      std::upper_bound(zone.begin(), zone.end(), t, [](time_ms v, const zone_offset& z) { return v < z.from; });
  const auto& in_force = after == zone.begin() ? *after : *(after - 1);
  return {t.value + in_force.offset_ms};
}

season::season(std::int64_t period_ms, std::int64_t slot_ms) :
  period_ms_(period_ms),
  slot_ms_(slot_ms),
  mean_(static_cast<std::size_t>((period_ms + slot_ms - 1) / slot_ms)),
  weight_(mean_.size()) {
}

std::size_t season::slot(std::int64_t t) const {
  return static_cast<std::size_t>(((t % period_ms_) + period_ms_) % period_ms_ / slot_ms_);
}

double season::at(time_ms t) const {
  return mean_[slot(t.value)];
}

void season::add(time_ms t, double x, std::int64_t step_ms) {
  const auto i = slot(t.value);
  const auto points = std::max(1.0, static_cast<double>(slot_ms_) / static_cast<double>(step_ms));
  weight_[i] += 1 / points;
  mean_[i] += (x - mean_[i]) * std::max(1 / (1 + weight_[i] * points), 0.25 / points);
  if (weight_[i] * points <= 1)
    mean_[i] = x;
  visits_ += 1 / points;
}

bool season::known() const {
  return visits_ >= 2 * static_cast<double>(mean_.size());
}

baseline::baseline(std::int64_t step_ms) :
  step_ms_(step_ms), day_(day_ms, std::max(step_ms, 15 * minute_ms)), week_(7 * day_ms, hour_ms) {
}

double baseline::season_of(std::size_t which, time_ms t) const {
  return which == 1 ? day_.at(t) : which == 2 ? week_.at(t) : 0;
}

double baseline::expect(time_ms t) {
  best_ = 0;
  if (day_.known() && experts_[1].error < experts_[best_].error)
    best_ = 1;
  if (week_.known() && experts_[2].error < experts_[best_].error)
    best_ = 2;
  for (std::size_t i = 0; i < experts_.size(); ++i)
    experts_[i].predicted = season_of(i, t) + experts_[i].level;
  return experts_[best_].predicted;
}

double baseline::deseasoned(time_ms t, double x) const {
  return x - season_of(best_, t);
}

void baseline::learn(time_ms t, double x) {
  const auto error_weight = half_life_weight(points_per_day(step_ms_));
  for (std::size_t k = 0; k < experts_.size(); ++k) {
    auto& e = experts_[k];
    const auto error = std::abs(x - e.predicted);
    if (seen_ < 2)
      e.error = error;
    e.error += error_weight * (error - e.error);
    const auto level = x - season_of(k, t);
    if (seen_ == 0)
      e.level = level;
    e.level += half_life_weight(k == 0 ? 2 : 4) * (level - e.level);
  }
  day_.add(t, x, step_ms_);
  week_.add(t, x, step_ms_);
  ++seen_;
}

} // namespace pulse::series
