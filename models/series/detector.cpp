// See detector.hpp.
#include "models/series/detector.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::series {

namespace {

constexpr std::size_t past_max = 2'000;
/// Before so many points nothing is said.
constexpr std::size_t past_min = 100;
constexpr double tail_share = 0.03;
constexpr double rarity_max = 12;

/// Weight of a new value so that an old one counts half after `points`.
double weight(double points) {
  return 1 - std::exp2(-1 / points);
}

void blend(double& mean, double x, double w) {
  mean += w * (x - mean);
}

std::int64_t slot_width(std::int64_t step_ms) {
  return std::max(step_ms, 15 * minute_ms);
}

} // namespace

double own_past::limit(double p) const {
  if (sorted_.empty())
    return 0;
  const auto k = static_cast<std::size_t>(p * static_cast<double>(sorted_.size()));
  return sorted_[sorted_.size() - 1 - std::min(k, sorted_.size() - 1)];
}

double own_past::rarity(double x) {
  double out = 0;
  const auto n = sorted_.size();
  if (n >= past_min) {
    const auto top = std::max<std::size_t>(10, static_cast<std::size_t>(tail_share * static_cast<double>(n)));
    const auto u = std::max(sorted_[n - 1 - top], 1e-12);
    if (x > u) {
      double hill = 0;
      for (auto i = n - top; i < n; ++i)
        hill += std::log(std::max(sorted_[i], u) / u);
      hill = std::max(hill / static_cast<double>(top), 0.1);
      out = -std::log10(static_cast<double>(top) / static_cast<double>(n)) + std::log10(x / u) / hill;
    }
  }
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), x), x);
  order_.push_back(x);
  if (order_.size() > past_max) {
    sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), order_.front()));
    order_.pop_front();
  }
  return std::min(out, rarity_max);
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
  // A plain mean over the first visits, then one that forgets.
  weight_[i] += 1 / points;
  mean_[i] += (x - mean_[i]) * std::max(1 / (1 + weight_[i] * points), 0.25 / points);
  if (weight_[i] * points <= 1)
    mean_[i] = x;
  visits_ += 1 / points;
}

bool season::known() const {
  return visits_ >= 2 * static_cast<double>(mean_.size());
}

detector::detector(detector_options options) :
  options_(options), day_(day_ms, slot_width(options.step_ms)), week_(7 * day_ms, hour_ms) {
}

double detector::season_of(std::size_t which, time_ms t) const {
  return which == 1 ? day_.at(t) : which == 2 ? week_.at(t) : 0;
}

/// The expert that erred least lately; one whose season is not known yet does not count.
std::size_t detector::best() const {
  std::size_t out = 0;
  if (day_.known() && experts_[1].error < experts_[out].error)
    out = 1;
  if (week_.known() && experts_[2].error < experts_[out].error)
    out = 2;
  return out;
}

void detector::learn(time_ms t, double x) {
  const auto per_day = static_cast<double>(day_ms) / static_cast<double>(options_.step_ms);
  const auto error_weight = weight(std::clamp(per_day, 24.0, 500.0));
  for (std::size_t k = 0; k < experts_.size(); ++k) {
    auto& e = experts_[k];
    const auto error = std::abs(x - e.predicted);
    e.error = seen_ < 2 ? error : e.error;
    blend(e.error, error, error_weight);
    const auto deseasoned = x - season_of(k, t);
    if (seen_ == 0)
      e.level = deseasoned;
    blend(e.level, deseasoned, weight(k == 0 ? 2 : 4));
  }
  day_.add(t, x, options_.step_ms);
  week_.add(t, x, options_.step_ms);
}

/// Three views added up, as one does with independent tests (Fisher 1925): the residual in its usual scale, the level
/// of the last points against that of the last days, and the spread likewise.
double detector::watch(double residual, double deseasoned) {
  const auto size = std::abs(residual);
  if (seen_ < 3)
    scale_ = std::max(scale_, size), fast_ = slow_ = deseasoned, spread_fast_ = spread_slow_ = size;
  const auto floor = 1e-3 * std::abs(slow_) + 1e-9;
  const auto scale = std::max(scale_, floor);
  blend(scale_, std::min(size, 4 * scale), weight(200));
  blend(fast_, deseasoned, weight(6));
  blend(slow_, deseasoned, weight(400));
  blend(spread_fast_, std::min(size, 8 * scale), weight(24));
  blend(spread_slow_, std::min(size, 8 * scale), weight(400));
  const auto by_residual = residuals_.rarity(size / scale);
  const auto by_shift = shifts_.rarity(std::abs(fast_ - slow_) / scale);
  const auto by_spread = spreads_.rarity(std::abs(std::log((spread_fast_ + floor) / (spread_slow_ + floor))));
  return by_residual + by_shift + by_spread;
}

/// One incident, one alarm: after one, the next has to be rarer, by less and less: half of it after a day.
double detector::habituated(double rarity) {
  const auto per_day = static_cast<double>(day_ms) / static_cast<double>(options_.step_ms);
  hold_ *= std::exp2(-1 / std::clamp(per_day, 24.0, 500.0));
  const auto out = std::max(0.0, rarity - hold_);
  if (out >= options_.alarm_rarity)
    hold_ += rarity;
  return out;
}

verdict detector::next(time_ms t, double x) {
  if (options_.step_ms <= 0 && seen_ == 1) {
    options_.step_ms = std::max(second_ms, t.value - last_.value);
    day_ = season(day_ms, slot_width(options_.step_ms));
  }
  if (options_.step_ms <= 0)
    options_.step_ms = 0;
  const auto k = best();
  for (std::size_t i = 0; i < experts_.size(); ++i)
    experts_[i].predicted = season_of(i, t) + experts_[i].level;
  verdict out;
  out.expected = seen_ == 0 && !std::isnan(x) ? x : experts_[k].predicted;
  const auto band = residuals_.limit(0.01) * std::max(scale_, 1e-3 * std::abs(slow_) + 1e-9);
  out.lower = out.expected - band;
  out.upper = out.expected + band;
  if (std::isnan(x))
    return out;
  x = std::clamp(x, -1e100, 1e100);
  if (seen_ > 0 && options_.step_ms > 0) {
    const auto rarity = habituated(watch(x - out.expected, x - season_of(k, t)));
    out.score = rarity / (rarity + options_.alarm_rarity);
    out.anomaly = rarity >= options_.alarm_rarity;
  }
  if (options_.step_ms > 0)
    learn(t, x);
  else
    for (auto& e : experts_)
      e.level = x;
  last_ = t;
  ++seen_;
  return out;
}

} // namespace pulse::series
