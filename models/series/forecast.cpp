// See forecast.hpp.
#include "models/series/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "models/series/error_interval.hpp"
#include "models/series/forecaster.hpp"

namespace pulse::series {

namespace {

constexpr std::size_t points_max = 20'000;
constexpr std::size_t origins_max = 60;
/// So many of the best are averaged: more robust than the one that happened to be best (Bates, Granger 1969).
constexpr std::size_t averaged = 3;
constexpr double close_to_best = 1.1;
/// From so many origins on the choice at each is made by the ones before it alone.
constexpr std::size_t origins_to_choose = 3;
/// Errors from this many steps around count for a step's interval.
constexpr std::size_t errors_wanted = 60;
/// An error counts half after so many times the tested stretch: most series scatter more or less as they go on.
constexpr double half_life = 2;

/// At even steps; a gap is filled from a season (a week, else a day) before or from the value before.
std::vector<double> even(const std::vector<point>& points, std::int64_t step) {
  const auto last = points.back().at.value;
  const auto n = std::min<std::size_t>(points_max, static_cast<std::size_t>((last - points[0].at.value) / step) + 1);
  std::vector<double> out(n, NAN);
  for (const auto& p : points) {
    const auto back = (last - p.at.value + step / 2) / step;
    if (!std::isnan(p.value) && back < static_cast<std::int64_t>(n))
      out[n - 1 - static_cast<std::size_t>(back)] = std::clamp(p.value, -1e100, 1e100);
  }
  const auto first = std::find_if(out.begin(), out.end(), [](double x) { return !std::isnan(x); });
  out.erase(out.begin(), first);
  const auto week = static_cast<std::size_t>(7 * day_ms / step), day = static_cast<std::size_t>(day_ms / step);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!std::isnan(out[i]))
      continue;
    const auto back = week > 1 && i >= week ? week : day > 1 && i >= day ? day : 1;
    out[i] = out[i - back];
  }
  return out;
}

struct trial {
  const forecaster* by = nullptr;
  /// What it said at each origin, and how far off that was on average.
  std::vector<std::vector<double>> said;
  std::vector<double> off;
};

/// Where the past is cut to see what would have been said: spread over its later half.
std::vector<std::size_t> origins(std::size_t n, std::size_t tested) {
  const auto first = std::min(n - 1, std::max<std::size_t>(n / 2, 2));
  const auto last = n - std::min(n - first - 1, tested / 2) - 1;
  const auto count = std::min(origins_max, last - first + 1);
  std::vector<std::size_t> out;
  for (std::size_t k = 0; k < count; ++k)
    out.push_back(first + (count > 1 ? k * (last - first) / (count - 1) : 0));
  return out;
}

double mean_error(const std::vector<double>& y, std::size_t cut, const std::vector<double>& said) {
  double sum = 0, n = 0;
  for (std::size_t k = 0; k < said.size() && cut + k < y.size(); ++k)
    sum += std::abs(y[cut + k] - said[k]), ++n;
  return sum / n;
}

std::vector<trial> try_all(const std::vector<double>& y, const forecasters& all, const std::vector<std::size_t>& cuts,
                           std::size_t tested) {
  std::vector<trial> out;
  for (const auto& f : all) {
    if (f->points_min() > cuts.front())
      continue;
    trial t{f.get(), {}, {}};
    for (const auto cut : cuts) {
      t.said.push_back(f->run(std::span(y).first(cut), tested));
      t.off.push_back(mean_error(y, cut, t.said.back()));
    }
    out.push_back(std::move(t));
  }
  return out;
}

/// Those that did best at the first `origins_seen` origins, the one at `left_out` not counted, and no others than come
/// close to the best.
std::vector<const trial*> best_of(const std::vector<trial>& all, std::size_t origins_seen, std::size_t left_out) {
  std::vector<std::pair<double, const trial*>> by_error;
  for (const auto& t : all) {
    double off = 0;
    for (std::size_t c = 0; c < origins_seen; ++c)
      off += c == left_out ? 0 : t.off[c];
    by_error.emplace_back(off, &t);
  }
  std::stable_sort(by_error.begin(), by_error.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const trial*> out;
  for (const auto& [error, t] : by_error)
    if (out.size() < averaged && error <= close_to_best * by_error[0].first)
      out.push_back(t);
  return out;
}

std::vector<double> mean_of(const std::vector<std::vector<double>>& all) {
  std::vector<double> out(all[0].size());
  for (const auto& one : all)
    for (std::size_t k = 0; k < out.size(); ++k)
      out[k] += one[k] / static_cast<double>(all.size());
  return out;
}

/// Errors (truth - expected) by step ahead, and of sums over the whole tested stretch. At each origin the forecasters
/// are chosen anew by what was known before, or at the first ones, where that is too little, by all the other origins:
/// never by its own errors, so that the luck of the choice is not taken for skill.
struct errors {
  std::vector<std::vector<past_error>> ahead;
  std::vector<past_error> sums;
};

errors errors_of(const std::vector<double>& y, const std::vector<std::size_t>& cuts, const std::vector<trial>& all,
                 std::size_t tested) {
  errors out{std::vector<std::vector<past_error>>(tested), {}};
  for (std::size_t c = 0; c < cuts.size(); ++c) {
    std::vector<std::vector<double>> said;
    for (const auto* t : best_of(all, c < origins_to_choose ? cuts.size() : c, c))
      said.push_back(t->said[c]);
    const auto expected = mean_of(said);
    const auto weight =
        std::exp2(-static_cast<double>(cuts.size() - 1 - c) / (half_life * static_cast<double>(cuts.size())));
    double sum = 0;
    for (std::size_t k = 0; k < tested && cuts[c] + k < y.size(); ++k) {
      const auto error = y[cuts[c] + k] - expected[k];
      out.ahead[k].emplace_back(error, weight);
      sum += error;
    }
    if (cuts[c] + tested <= y.size())
      out.sums.emplace_back(sum);
  }
  return out;
}

/// Errors of about k steps ahead, enough of them to take quantiles of.
std::vector<past_error> around(const errors& e, std::size_t k) {
  std::vector<past_error> out;
  for (std::size_t width = 0; width < e.ahead.size() && (width == 0 || out.size() < errors_wanted);
       width = 2 * width + 1) {
    out.clear();
    for (auto i = k > width ? k - width : 0; i <= std::min(e.ahead.size() - 1, k + width); ++i)
      out.insert(out.end(), e.ahead[i].begin(), e.ahead[i].end());
  }
  if (out.empty())
    for (const auto& some : e.ahead)
      out.insert(out.end(), some.begin(), some.end());
  return out;
}

/// What holidays reach of a usual day, and a past without them.
class holiday_effect {
public:
  holiday_effect(const forecast_options& options, std::int64_t step) : step_(step) {
    for (const auto& d : options.holidays)
      days_.insert(day_of(d));
  }

  std::vector<point> learn(std::vector<point> points) {
    double seen = 0, usual = 0;
    const auto week = 7 * day_ms / step_;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!on(points[i].at) || step_ > day_ms)
        continue;
      if (i >= static_cast<std::size_t>(week)) {
        const auto before = points[i - static_cast<std::size_t>(week)].value;
        if (!std::isnan(points[i].value) && !std::isnan(before))
          seen += points[i].value, usual += before;
      }
      points[i].value = NAN;
    }
    if (usual > 0)
      share_ = std::max(0.0, seen / usual);
    return points;
  }

  double share(time_ms t) const {
    return step_ <= day_ms && on(t) ? share_ : 1;
  }

private:
  static std::int64_t day_of(time_ms t) {
    return (t.value - (t.value % day_ms + day_ms) % day_ms) / day_ms;
  }

  bool on(time_ms t) const {
    return days_.contains(day_of(t));
  }

  std::int64_t step_;
  std::set<std::int64_t> days_;
  double share_ = 1;
};

result<std::int64_t> check(const std::vector<point>& points, std::size_t horizon, const forecast_options& options) {
  const auto refuse = [](std::string why) {
    return error{ec::invalid, std::move(why), {}};
  };
  if (horizon < 1 || horizon > 100'000)
    return refuse(fmt::format("horizon is {}; 1 to 100,000 are possible", horizon));
  if (!(options.level > 0 && options.level < 1))
    return refuse(fmt::format("level is {}; it lies between 0 and 1", options.level));
  const auto valued = std::count_if(points.begin(), points.end(), [](const point& p) { return !std::isnan(p.value); });
  const auto step = usual_step_ms(points);
  if (valued < 3 || step == 0)
    return refuse(fmt::format("{} points with a value; a forecast needs 3 at least", valued));
  if (options.step_ms > step)
    return refuse(fmt::format("most points are {} s apart, closer than the granularity of {} s: add them up first",
                              step / second_ms, options.step_ms / second_ms));
  return options.step_ms > 0 ? options.step_ms : step;
}

} // namespace

result<forecast> predict(const std::vector<point>& given, std::size_t horizon, const forecast_options& options) {
  const auto step = check(given, horizon, options);
  if (!step)
    return step.err();
  holiday_effect holidays(options, *step);
  const auto learnt = options.holidays.empty() ? given : holidays.learn(given);
  if (const auto still = check(learnt, horizon, options); !still)
    return still.err();
  const auto y = even(learnt, *step);
  // Errors far ahead are those of as far ahead as the past can be tested.
  const auto tested = std::max<std::size_t>(1, std::min(horizon, y.size() / 4));
  const auto cuts = origins(y.size(), tested);
  forecasters all;
  for (const auto& entry : forecaster_register())
    entry.add(all, *step);
  const auto trials = try_all(y, all, cuts, tested);
  if (trials.empty())
    return error{ec::invalid, "the values lie at one instant", {}};
  const auto e = errors_of(y, cuts, trials, tested);
  std::vector<std::vector<double>> said;
  forecast out;
  for (const auto* t : best_of(trials, cuts.size(), cuts.size())) {
    said.push_back(t->by->run(y, horizon));
    out.method += (out.method.empty() ? "" : "; ") + t->by->name();
  }
  const auto guess = mean_of(said);
  const auto floor = std::all_of(y.begin(), y.end(), [](double x) { return x >= 0; }) ? 0.0 : -INFINITY;
  std::pair<double, double> width;
  for (std::size_t k = 0; k < horizon; ++k) {
    if (k < tested)
      width = error_interval(around(e, k), cuts.size(), options.level);
    const time_ms at{given.back().at.value + static_cast<std::int64_t>(k + 1) * *step};
    const auto share = holidays.share(at);
    const auto expected = std::max(floor, guess[k]);
    out.points.push_back({at, share * expected, share * std::max(floor, std::min(expected, guess[k] + width.first)),
                          share * std::max(expected, guess[k] + width.second)});
    out.total.expected += out.points.back().expected;
  }
  const auto wide = static_cast<double>(horizon) / static_cast<double>(tested);
  const auto [low, high] = error_interval(e.sums, cuts.size(), options.level);
  out.total.at = out.points.back().at;
  out.total.lower = std::max(floor, out.total.expected + std::min(0.0, low) * wide);
  out.total.upper = out.total.expected + std::max(0.0, high) * wide;
  return out;
}

course on_course(double so_far, const forecast_point& rest, double goal) {
  course out{so_far + rest.expected, so_far + rest.lower, so_far + rest.upper, 0, false};
  out.against_goal = goal > 0 ? out.expected / goal - 1 : 0;
  out.sure = out.upper < goal || out.lower >= goal;
  return out;
}

std::string describe(const course& c, std::string_view period) {
  const auto percent = std::abs(100 * c.against_goal);
  if (percent < 0.5)
    return fmt::format("on course for the {}", period);
  return fmt::format("on course to {} the {} by {:.0f} %", c.against_goal < 0 ? "miss" : "beat", period, percent);
}

} // namespace pulse::series
