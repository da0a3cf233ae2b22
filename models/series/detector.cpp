// See detector.hpp.
#include "models/series/detector.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pulse::series {

namespace {

constexpr std::string_view bundle = "ensemble";
/// Mean rarity over the views and the last points from which on there is an alarm: a fifth of each view's past is as
/// odd, all views at once and not for a moment only. A single view has to see much more by itself.
constexpr double alarm_bundle = 0.7;
/// The same where single points count for themselves.
constexpr double alarm_bundle_of_one = 1;
constexpr double alarm_single = 3;
/// After an alarm the next has to be rarer by it, by less and less: half of it after so many days.
constexpr double hold_days = 0.5;
/// Half-life of "the last points": where nothing is odd, views agree now and then, but seldom for long.
constexpr double points_to_agree = 4;
/// More than so much does not hold later alarms back any longer.
constexpr double hold_max = 3;
/// Of alarms by a single point, in a series where nothing is odd.
constexpr double alone_a_week = 0.25;
/// Farther out than so many usual distances nothing is believed at once, but when so many points have been there.
constexpr double wild_scales = 50;
constexpr std::size_t wild_points = 3;
/// What views make of such a point as long as it stands in their windows is not what is usual either: for so many
/// points, and not again until so many more have come.
constexpr std::size_t echo_points = 100;
constexpr std::size_t echo_rest = 500;
/// Nobody needs to see farther than that.
constexpr double sight_scales = 1'000;
/// Half-life of what counts as a stretch.
constexpr double points_of_swing = 70;
/// From so many points on what a series' past says of the usual counts for more than half.
constexpr double points_to_know = 1'000;
constexpr std::string_view alone_reason = "chance does not explain such a value at this time";

} // namespace

result<void> detector::check(std::string_view name) {
  if (name == bundle || find_view(name))
    return {};
  std::vector<std::string_view> names{bundle};
  for (const auto& v : views())
    names.push_back(v.name);
  return error{ec::invalid, fmt::format("there is no detector {}; there are {}", name, fmt::join(names, ", ")), {}};
}

detector::detector(detector_options options) : options_(std::move(options)) {
  for (const auto& v : views())
    if (options_.name == bundle ? v.bundled : v.name == options_.name)
      watchers_.push_back({&v, v.make(), {}, 0});
  if (options_.step_ms > 0)
    start();
}

void detector::start() {
  baseline_.emplace(options_.step_ms);
  if (options_.name == bundle)
    surprise_.emplace(options_.step_ms, alone_a_week * std::max(options_.sensitivity, 0.01));
}

/// Points of a coarser series come more seldom, so an alarm a week is a larger share of them; never below half.
double detector::alarm_rarity() const {
  const auto is_bundle = options_.name == bundle;
  const auto in_bundle = options_.step_ms < step_of_one_ms ? alarm_bundle : alarm_bundle_of_one;
  const auto base = is_bundle ? in_bundle : alarm_single;
  const auto by_step = (is_bundle ? 0.2 : 0.3) * std::log10(static_cast<double>(options_.step_ms) / (5.0 * minute_ms));
  return std::max(base - by_step, base / 2) / std::max(options_.sensitivity, 0.01);
}

/// A value that is off every scale says so once. What is learnt from it is bounded: a wrong number, or a peak of an
/// hour, would otherwise hide weeks of what comes after it. From the fourth such point in a row on it is the new usual.
double detector::believable(double x, double expected, double scale) {
  wild_ = std::abs(x - expected) > wild_scales * scale ? wild_ + 1 : 0;
  ++since_echo_;
  if (wild_ == 1 && since_echo_ > echo_rest)
    since_echo_ = 0;
  return wild_ > wild_points ? x : std::clamp(x, expected - wild_scales * scale, expected + wild_scales * scale);
}

detector::taken detector::watch(time_ms local, double x, double expected) {
  if (seen_ < 4) {
    scale_ = std::max(scale_, std::abs(x - expected));
    slow_ = baseline_->deseasoned(local, x);
  }
  const auto scale = std::max(scale_, 1e-3 * std::abs(slow_) + 1e-9);
  const auto learnt = believable(x, expected, scale);
  x = std::clamp(x, expected - sight_scales * scale, expected + sight_scales * scale);
  const auto deseasoned = baseline_->deseasoned(local, x);
  scale_ += half_life_weight(200) * (std::min(std::abs(x - expected), 4 * scale) - scale_);
  slow_ += half_life_weight(400) * (baseline_->deseasoned(local, learnt) - slow_);
  const reading r{local, x, expected, (x - expected) / scale, deseasoned, scale, options_.step_ms};
  lean_ += half_life_weight(3) * (std::clamp(r.residual, -8.0, 8.0) - lean_);
  const auto believed = since_echo_ >= echo_points;
  residuals_.rarity(std::abs(r.residual), believed);
  total_ = 0;
  for (auto& w : watchers_) {
    w.rarity = w.past.rarity(w.eye->observe(r), believed);
    total_ += w.rarity / static_cast<double>(watchers_.size());
  }
  alone_ = surprise_ ? surprise_->strength(x, expected) : 0;
  const auto waits = watchers_.size() > 1 && options_.step_ms < step_of_one_ms;
  recent_ += (waits ? half_life_weight(points_to_agree) : 1) * (total_ - recent_);
  strength_ = std::max(recent_ / alarm_rarity(), alone_);
  return {x, learnt};
}

/// One incident, one alarm: the same oddness going on does not alarm again, a rarer one does.
bool detector::alarm(time_ms t, double x, double expected) {
  hold_ *= std::exp2(-1 / (hold_days * points_per_day(options_.step_ms)));
  if (strength_ - hold_ < 1)
    return false;
  if (std::max(x, expected) < options_.floor)
    return false;
  // A peak that nobody wants to hear of lifts what is expected after it: what then seems to be a fall is none.
  if ((options_.side == direction::up && lean_ < 0) || (options_.side == direction::down && lean_ > 0)) {
    hold_ += std::min(strength_, hold_max);
    return false;
  }
  while (!alarms_.empty() && t.value - alarms_.front().value >= 7 * day_ms)
    alarms_.pop_front();
  if (options_.alarms_per_week > 0) {
    if (alarms_.size() >= options_.alarms_per_week)
      return false;
    alarms_.push_back(t);
  }
  hold_ += std::min(strength_, hold_max);
  return true;
}

double detector::swing::next(double distance) {
  recent_ += half_life_weight(points_of_swing) * (distance * distance - recent_);
  sum_ += recent_;
  ++seen_;
  return sum_ > 0 ? recent_ / sum_ * seen_ : 0;
}

/// How odd the last hundred points were by their own past, times how far they lay from the level around them or from
/// what was expected of them, whichever is more of what is usual for the whole series: odd and large in one. A point
/// counts as odd as an alarm needs, not more: one that is off every scale says less than many that are odd. What is
/// usual is little known in a young series, so there it counts for less.
double detector::unrest(double x, double expected) {
  if (seen_ < 2)
    level_ = x;
  const auto odd = std::min(total_ / alarm_rarity(), 1.0);
  heat_ += half_life_weight(100) * (odd * odd - heat_);
  const auto large = std::max(from_level_.next(x - level_), from_expected_.next(x - expected));
  level_ += half_life_weight(50) * (x - level_);
  const auto points = static_cast<double>(seen_ + 1);
  return heat_ * large * points / (points + points_to_know);
}

verdict detector::next(time_ms t, double x) {
  if (!baseline_ && seen_ > 0 && t > first_) {
    options_.step_ms = std::max(second_ms, t.value - first_.value);
    start();
    const auto local = to_local(first_, options_.zone);
    baseline_->expect(local);
    baseline_->learn(local, first_value_);
  }
  const auto local = to_local(t, options_.zone);
  verdict out;
  if (baseline_)
    out.expected = baseline_->expect(local);
  if (seen_ == 0 || !baseline_)
    out.expected = seen_ == 0 && !std::isnan(x) ? std::clamp(x, -1e100, 1e100) : first_value_;
  const auto band = residuals_.quantile(0.99) * std::max(scale_, 1e-3 * std::abs(slow_) + 1e-9);
  out.lower = out.expected - band;
  out.upper = out.expected + band;
  if (!std::isfinite(x))
    return out;
  x = std::clamp(x, -1e100, 1e100);
  if (baseline_) {
    const auto sight = watch(local, x, out.expected);
    out.anomaly = alarm(t, x, out.expected);
    const auto odd = strength_ / (strength_ + 1), restless = unrest(sight.seen, out.expected);
    out.score = out.anomaly ? 0.5 + odd / 2 : 0.4999 * restless / (1 + restless);
    baseline_->learn(local, sight.learnt);
  } else {
    first_ = t;
    first_value_ = x;
  }
  ++seen_;
  return out;
}

std::string_view detector::reason() const {
  return alone_ >= 1 || watchers_.empty() ? alone_reason : shares().front().reason;
}

std::vector<view_share> detector::shares() const {
  std::vector<view_share> out;
  for (const auto& w : watchers_)
    out.push_back({w.entry->name, w.entry->reason, w.rarity / static_cast<double>(watchers_.size())});
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.rarity > b.rarity; });
  return out;
}

} // namespace pulse::series
