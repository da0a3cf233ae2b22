// See forecast.hpp.
#include "models/series/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace pulse::series {

namespace {

constexpr std::size_t points_max = 20'000;
constexpr std::size_t origins_max = 60;

/// season 0: level alone. Expected value k steps ahead: mean of the last `seasons` values at the same place in the
/// season, moved by how the last `level_points` points lay against theirs.
struct method {
  std::size_t season = 0;
  std::size_t seasons = 1;
  std::size_t level_points = 0;
  /// How much of that move is kept.
  double keep = 0;
};

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

double seasonal(const std::vector<double>& y, std::size_t origin, std::size_t i, const method& m) {
  // The last values at i's place in the season that lie before the origin.
  auto at = i;
  while (at >= origin)
    at -= m.season;
  double sum = 0, n = 0;
  for (std::size_t k = 0; k < m.seasons; ++k) {
    sum += y[at], ++n;
    if (at < m.season)
      break;
    at -= m.season;
  }
  return sum / n;
}

double mean_before(const std::vector<double>& y, std::size_t origin, std::size_t points) {
  const auto n = std::min(points, origin);
  double sum = 0;
  for (auto i = origin - n; i < origin; ++i)
    sum += y[i];
  return sum / static_cast<double>(n);
}

/// Values origin ... origin + horizon - 1 as seen from what lies before origin.
std::vector<double> run(const std::vector<double>& y, std::size_t origin, std::size_t horizon, const method& m) {
  if (m.season == 0)
    return std::vector<double>(horizon, mean_before(y, origin, m.level_points));
  double move = 0;
  const auto n = std::min(m.level_points, origin > m.season ? origin - m.season : 0);
  for (auto i = origin - n; i < origin; ++i)
    move += y[i] - seasonal(y, origin - n, i, m);
  if (n > 0)
    move *= m.keep / static_cast<double>(n);
  std::vector<double> out(horizon);
  for (std::size_t k = 0; k < horizon; ++k)
    out[k] = seasonal(y, origin, origin + k, m) + move;
  return out;
}

std::vector<method> candidates(std::size_t n, std::int64_t step) {
  std::vector<method> out;
  for (std::size_t points : {1, 3, 7, 24})
    if (points <= n)
      out.push_back({0, 1, points, 1});
  for (auto period : {day_ms, 7 * day_ms}) {
    const auto season = static_cast<std::size_t>(period / step);
    if (season < 2 || period % step != 0 || n < 3 * season)
      continue;
    for (std::size_t seasons : {1, 2, 4, 8})
      if (seasons == 1 || n >= (seasons + 1) * season)
        for (auto keep : {0.0, 0.5, 1.0})
          out.push_back({season, seasons, keep > 0 ? season : 0, keep});
  }
  return out;
}

/// Errors (truth - expected) of a method at origins spread over the later half, by step ahead.
struct errors {
  std::vector<std::vector<double>> ahead;
  double mean_size = INFINITY;
};

errors test(const std::vector<double>& y, std::size_t horizon, const method& m) {
  errors out{std::vector<std::vector<double>>(horizon), 0};
  const auto n = y.size();
  const auto first = std::max<std::size_t>(n / 2, std::min(n - 1, std::max<std::size_t>(1, 2 * m.season)));
  const auto origins = std::min(origins_max, n - first);
  double sum = 0, count = 0;
  for (std::size_t k = 0; k < origins; ++k) {
    const auto origin = first + k * (n - first) / origins;
    const auto reach = std::min(horizon, n - origin);
    const auto guess = run(y, origin, reach, m);
    for (std::size_t i = 0; i < reach; ++i) {
      out.ahead[i].push_back(y[origin + i] - guess[i]);
      sum += std::abs(out.ahead[i].back()), ++count;
    }
  }
  out.mean_size = count > 0 ? sum / count : INFINITY;
  return out;
}

double quantile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  // (n + 1) p: unseen values lie outside the range of the seen ones more often than the plain quantile says.
  const auto at =
      std::clamp(p * static_cast<double>(values.size() + 1) - 1, 0.0, static_cast<double>(values.size() - 1));
  const auto i = static_cast<std::size_t>(at);
  return i + 1 < values.size() ? std::lerp(values[i], values[i + 1], at - static_cast<double>(i)) : values[i];
}

/// Errors of about this many steps ahead, enough of them to take quantiles of.
std::vector<double> around(const errors& e, std::size_t k) {
  std::vector<double> out;
  for (std::size_t width = 0; width < e.ahead.size() && (width == 0 || out.size() < 100); width = 2 * width + 1) {
    out.clear();
    for (auto i = k > width ? k - width : 0; i <= std::min(e.ahead.size() - 1, k + width); ++i)
      out.insert(out.end(), e.ahead[i].begin(), e.ahead[i].end());
  }
  if (out.empty())
    for (const auto& some : e.ahead)
      out.insert(out.end(), some.begin(), some.end());
  return out;
}

std::string name_of(const method& m) {
  if (m.season == 0)
    return fmt::format("mean of the last {} points", m.level_points);
  return fmt::format("mean of the last {} seasons of {} points{}", m.seasons, m.season,
                     m.keep > 0 ? ", with level" : "");
}

} // namespace

result<forecast> predict(const std::vector<point>& points, std::size_t horizon, double level) {
  const auto refuse = [](std::string why) {
    return error{ec::invalid, std::move(why), {}};
  };
  if (horizon < 1 || horizon > 100'000)
    return refuse(fmt::format("horizon is {}; 1 to 100,000 are possible", horizon));
  if (!(level > 0 && level < 1))
    return refuse(fmt::format("level is {}; it lies between 0 and 1", level));
  const auto valued = std::count_if(points.begin(), points.end(), [](const point& p) { return !std::isnan(p.value); });
  const auto step = usual_step_ms(points);
  if (valued < 3 || step == 0)
    return refuse(fmt::format("{} points with a value; a forecast needs 3 at least", valued));
  const auto y = even(points, step);
  // Errors far ahead are those of as far ahead as the past can be tested.
  const auto tested = std::max<std::size_t>(1, std::min(horizon, y.size() / 4));
  std::optional<method> best;
  errors best_errors;
  for (const auto& m : candidates(y.size(), step))
    if (auto e = test(y, tested, m); e.mean_size < best_errors.mean_size) {
      best = m;
      best_errors = std::move(e);
    }
  const auto guess = run(y, y.size(), horizon, *best);
  const auto positive = std::all_of(y.begin(), y.end(), [](double x) { return x >= 0; });
  forecast out{{}, name_of(*best)};
  double low = 0, high = 0;
  for (std::size_t k = 0; k < horizon; ++k) {
    if (k < tested) {
      const auto some = around(best_errors, k);
      low = quantile(some, (1 - level) / 2);
      high = quantile(some, (1 + level) / 2);
    }
    const auto floor = positive ? 0.0 : -INFINITY;
    const auto expected = std::max(floor, guess[k]);
    out.points.push_back({time_ms{points.back().at.value + static_cast<std::int64_t>(k + 1) * step}, expected,
                          std::max(floor, std::min(expected, guess[k] + low)), std::max(expected, guess[k] + high)});
  }
  return out;
}

} // namespace pulse::series
