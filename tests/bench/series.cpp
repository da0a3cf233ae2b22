// Benchmark of the metric detector: argument 1 is the folder of labelled series (as its README describes), argument 2
// the retail order lines. One threshold for all files, no option per file. Prints `name value unit`; further words
// choose parts: nab, halves, vus, views, retail, forecast, cost.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "models/csv/table.hpp"
#include "models/detection/random.hpp"
#include "models/series/bands.hpp"
#include "models/series/detector.hpp"
#include "models/series/forecast.hpp"
#include "models/series/series.hpp"
#include "tests/support/noise.hpp"
#include "tests/support/series_score.hpp"

using namespace pulse;

namespace {

struct file {
  std::string name;
  std::vector<series::point> points;
  judge::window_list windows;

  double weeks() const {
    return static_cast<double>(points.back().at.value - points[0].at.value) / (7 * day_ms);
  }
};

struct judged {
  std::vector<double> score;
  std::unique_ptr<bool[]> alarm;
  std::size_t alarms = 0;
};

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void say(std::string_view name, double value, std::string_view unit) {
  fmt::print("{} {:.4g} {}\n", name, value, unit);
}

judged run(const std::vector<series::point>& points, const series::detector_options& options = {}) {
  series::detector d(options);
  judged out{{}, std::make_unique<bool[]>(points.size()), 0};
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto v = d.next(points[i].at, points[i].value);
    out.score.push_back(v.score);
    out.alarm[i] = v.score >= 0.5;
    out.alarms += v.anomaly;
  }
  return out;
}

std::vector<file> labelled_files(const std::filesystem::path& folder) {
  std::vector<file> out;
  const auto listed = nlohmann::json::parse(slurp(folder / "windows.json"));
  for (const auto& [name, list] : listed.items()) {
    file f{name, series::read_points(slurp(folder / name)).value(), {}};
    for (const auto& w : list) {
      const auto index = [&](const nlohmann::json& text) {
        const auto t = *series::parse_timestamp(text.get<std::string>().substr(0, 19));
        const auto at = std::lower_bound(f.points.begin(), f.points.end(), t,
                                         [](const series::point& q, time_ms v) { return q.at < v; });
        return static_cast<std::size_t>(at - f.points.begin());
      };
      f.windows.emplace_back(index(w[0]), std::min(index(w[1]), f.points.size() - 1));
    }
    out.push_back(std::move(f));
  }
  return out;
}

struct nab_total {
  double standard = 0, low_fp = 0, low_fn = 0;
  std::size_t windows = 0, found = 0, false_alarms = 0;
  double calm_alarms = 0, calm_weeks = 0, weeks = 0, worst_week = 0;
  std::vector<double> delays;
};

nab_total nab(const std::vector<file>& files, const series::detector_options& options, bool each) {
  nab_total out;
  for (const auto& f : files) {
    const auto r = run(f.points, options);
    const std::span<const bool> alarms(r.alarm.get(), f.points.size());
    const auto s = judge::nab_score(alarms, f.windows, judge::nab_standard);
    out.standard += s.raw;
    out.low_fp += judge::nab_score(alarms, f.windows, judge::nab_low_fp).raw;
    out.low_fn += judge::nab_score(alarms, f.windows, judge::nab_low_fn).raw;
    out.windows += s.windows, out.found += s.found, out.false_alarms += s.false_alarms, out.weeks += f.weeks();
    out.worst_week = std::max(out.worst_week, static_cast<double>(s.false_alarms) / std::max(1.0, f.weeks()));
    if (f.windows.empty())
      out.calm_alarms += static_cast<double>(s.false_alarms), out.calm_weeks += f.weeks();
    for (std::size_t k = 0; k < s.delays.size(); ++k)
      out.delays.push_back(static_cast<double>(s.delays[k]));
    if (each)
      fmt::print(stderr, "{:55} {:6.2f} found {} of {} false {} ({:.2f} a week)\n", f.name, s.raw, s.found, s.windows,
                 s.false_alarms, static_cast<double>(s.false_alarms) / f.weeks());
  }
  out.standard = judge::nab_normalised(out.standard, out.windows, judge::nab_standard);
  out.low_fp = judge::nab_normalised(out.low_fp, out.windows, judge::nab_low_fp);
  out.low_fn = judge::nab_normalised(out.low_fn, out.windows, judge::nab_low_fn);
  return out;
}

void nab_part(const std::vector<file>& files) {
  auto total = nab(files, {}, true);
  say("nab.standard", total.standard, "points");
  say("nab.low_fp", total.low_fp, "points");
  say("nab.low_fn", total.low_fn, "points");
  say("nab.windows_found", static_cast<double>(total.found), fmt::format("of_{}", total.windows));
  say("nab.false_alarms", static_cast<double>(total.false_alarms) / total.weeks, "per_week");
  say("nab.false_alarms_worst_file", total.worst_week, "per_week");
  say("nab.false_alarms_without_anomalies", total.calm_alarms / total.calm_weeks, "per_week");
  std::nth_element(total.delays.begin(), total.delays.begin() + total.delays.size() / 2, total.delays.end());
  say("nab.delay_median", total.delays.empty() ? NAN : total.delays[total.delays.size() / 2], "points");
  for (const double sensitivity : {0.8, 0.9, 1.1, 1.25}) {
    const auto s = nab(files, {.sensitivity = sensitivity}, false);
    say(fmt::format("nab.standard_sensitivity_{}", sensitivity), s.standard, "points");
  }
  const auto capped = nab(files, {.alarms_per_week = 2}, false);
  say("nab.standard_budget_2", capped.standard, "points");
  say("nab.false_alarms_worst_file_budget_2", capped.worst_week, "per_week");
}

/// How far a constant that is chosen on some files carries to others: in each of 50 draws the sensitivity that is best
/// on one random half is judged on the other one.
void halves_part(const std::vector<file>& files) {
  const double grid[] = {0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.4};
  std::vector<std::vector<judge::nab_sum>> sums;
  for (const auto sensitivity : grid) {
    auto& row = sums.emplace_back();
    for (const auto& f : files) {
      const auto r = run(f.points, {.sensitivity = sensitivity});
      row.push_back(judge::nab_score({r.alarm.get(), f.points.size()}, f.windows, judge::nab_standard));
    }
  }
  const auto score = [&](std::size_t at, const std::vector<std::size_t>& some) {
    double raw = 0;
    std::size_t windows = 0;
    for (auto i : some)
      raw += sums[at][i].raw, windows += sums[at][i].windows;
    return judge::nab_normalised(raw, windows, judge::nab_standard);
  };
  double chosen = 0, fixed = 0, worst = 100;
  constexpr int draws = 50;
  for (std::uint64_t seed = 1; seed <= draws; ++seed) {
    detection::random_stream random(seed, 0);
    std::vector<std::size_t> order(files.size());
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size() - 1; i > 0; --i)
      std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i + 1))]);
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(order.size() / 2);
    const std::vector<std::size_t> seen(order.begin(), middle), unseen(middle, order.end());
    std::size_t best = 0;
    for (std::size_t k = 1; k < std::size(grid); ++k)
      if (score(k, seen) > score(best, seen))
        best = k;
    chosen += score(best, unseen) / draws;
    fixed += score(3, unseen) / draws;
    worst = std::min(worst, score(3, unseen));
  }
  say("nab.half_by_sensitivity_of_the_other_half", chosen, "points");
  say("nab.half_by_default", fixed, "points");
  say("nab.half_by_default_worst_of_50", worst, "points");
}

void vus_part(const std::vector<file>& files) {
  struct shape {
    std::size_t window, reach;
    int degree;
  };
  const shape shapes[] = {{1, 10, 1}, {1, 50, 1}, {1, 50, 4}, {25, 100, 1}, {25, 100, 4}, {101, 400, 1}, {101, 400, 4}};
  double ours = 0, n = 0;
  std::vector<double> poly(std::size(shapes));
  for (const auto& f : files) {
    if (f.windows.empty())
      continue;
    constexpr std::size_t buffer = 100;
    ours += judge::vus_pr(run(f.points).score, f.windows, buffer), ++n;
    std::vector<double> x;
    for (const auto& p : f.points)
      x.push_back(p.value);
    for (std::size_t k = 0; k < poly.size(); ++k)
      poly[k] += judge::vus_pr(judge::poly_residual(x, shapes[k].window, shapes[k].reach, shapes[k].degree), f.windows,
                               buffer);
  }
  say("vus_pr.ours", ours / n, "share");
  for (std::size_t k = 0; k < poly.size(); ++k)
    say(fmt::format("vus_pr.poly_{}_{}_{}", shapes[k].window, shapes[k].reach, shapes[k].degree), poly[k] / n, "share");
}

/// What the score is without each view, and by each alone.
void views_part(const std::vector<file>& files) {
  for (const auto& v : series::views()) {
    const auto alone = nab(files, {.name = v.name}, false);
    fmt::print("view.{}.alone {:.4g} points (found {}, false {})\n", v.name, alone.standard, alone.found,
               alone.false_alarms);
  }
}

struct hourly {
  std::vector<series::point> orders, revenue;
};

hourly retail(const std::string& path) {
  const auto text = slurp(path);
  csv::record_reader in(text);
  std::vector<std::string> f;
  (void)in.next(f);
  std::map<std::int64_t, std::pair<std::set<std::string>, double>> by_hour;
  for (auto more = in.next(f); more && *more; more = in.next(f)) {
    const auto quantity = csv::parse_number(f[2]).value_or(0);
    if (quantity <= 0 || f[0].starts_with("C"))
      continue;
    auto& hour = by_hour[series::parse_timestamp(f[3].substr(0, 16) + ":00Z")->value / hour_ms];
    hour.first.insert(f[0]);
    hour.second += quantity * csv::parse_number(f[4]).value_or(0);
  }
  hourly out;
  for (auto h = by_hour.begin()->first / 24 * 24; h <= by_hour.rbegin()->first; ++h) {
    const auto at = by_hour.find(h);
    out.orders.push_back({{h * hour_ms}, at == by_hour.end() ? 0 : static_cast<double>(at->second.first.size()), ""});
    out.revenue.push_back({{h * hour_ms}, at == by_hour.end() ? 0 : at->second.second, ""});
  }
  return out;
}

bool weekday_with_orders(const std::vector<series::point>& x, std::size_t hour) {
  double day = 0;
  for (auto i = hour / 24 * 24; i < std::min(x.size(), hour / 24 * 24 + 24); ++i)
    day += x[i].value;
  // 1970-01-01 was a Thursday.
  const auto weekday = (x[hour].at.value / day_ms + 3) % 7;
  return weekday < 5 && day > 0;
}

/// On how many weekdays of the last half a loss of half of what came from noon on, for `hours`, is found within two.
double planted(const std::vector<series::point>& x, std::size_t hours, const series::detector_options& options) {
  const auto plain = run(x, options);
  double found = 0, all = 0;
  for (std::size_t noon = x.size() / 48 * 24 + 12; noon + 3 < x.size(); noon += 24) {
    if (!weekday_with_orders(x, noon))
      continue;
    auto changed = std::vector<series::point>(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(noon + 3));
    for (std::size_t k = 0; k < hours; ++k)
      changed[noon + k].value = std::floor(changed[noon + k].value / 2);
    const auto r = run(changed, options);
    bool hit = false;
    for (auto i = noon; i < noon + 3; ++i)
      hit |= r.alarm[i] && !plain.alarm[i];
    found += hit, ++all;
  }
  return 100 * found / all;
}

/// A shop of `per_hour` orders at the busiest, with hours and weekdays like the retail one and Poisson chance.
std::vector<series::point> busy_shop(double per_hour, std::uint64_t seed, std::size_t weeks) {
  detection::random_stream random(seed, 0);
  std::vector<series::point> out;
  for (std::size_t i = 0; i < weeks * 168; ++i) {
    const auto hour = static_cast<double>(i % 24), day = static_cast<double>(i / 24 % 7);
    const auto mean = per_hour * std::exp(-std::pow((hour - 13) / 4.5, 2)) * (day >= 5 ? 0.6 : 1) + 1;
    // Knuth's product below 30, the normal above: enough for a benchmark.
    double x = 0;
    if (mean < 30) {
      for (double product = random.uniform(); product > std::exp(-mean); product *= random.uniform())
        ++x;
    } else {
      x = std::max(0.0, std::round(mean + std::sqrt(mean) * test::noise(random)));
    }
    // 2024-01-01, a Monday.
    out.push_back({{1'704'067'200'000 + static_cast<std::int64_t>(i) * hour_ms}, x, ""});
  }
  return out;
}

/// The best that anybody could do who knew the true hourly mean and let `per_week` false alarms through.
double knowable(double mean, double per_week, double hours_a_week) {
  const series::count_law usual(mean, mean), halved(mean / 2, mean / 2);
  double limit = -1;
  while (usual.at_most(limit + 1) <= per_week / hours_a_week)
    ++limit;
  return 100 * halved.at_most(limit);
}

void retail_part(const std::string& path) {
  const auto shop = retail(path);
  const auto weeks = static_cast<double>(shop.orders.size()) / 168;
  say("retail.revenue_hourly_alarms", static_cast<double>(run(shop.revenue).alarms) / weeks, "per_week");
  say("retail.orders_hourly_alarms", static_cast<double>(run(shop.orders).alarms) / weeks, "per_week");
  for (const std::string_view name : {"ensemble", "count"}) {
    const series::detector_options o{.name = name};
    say(fmt::format("retail.planted_half_one_hour_found_{}", name), planted(shop.orders, 1, o), "percent");
    say(fmt::format("retail.planted_half_three_hours_found_{}", name), planted(shop.orders, 3, o), "percent");
  }
  double noon = 0, days = 0;
  for (std::size_t i = 12; i < shop.orders.size(); i += 24)
    if (weekday_with_orders(shop.orders, i))
      noon += shop.orders[i].value, ++days;
  say("retail.orders_at_noon", noon / days, "orders");
  say("retail.planted_half_one_hour_knowable", knowable(noon / days, 0.5, 60), "percent");
  for (const double size : {50.0, 200.0, 1000.0}) {
    double one = 0, three = 0, alarms = 0;
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      const auto x = busy_shop(size, seed, 10);
      one += planted(x, 1, {}) / 2;
      three += planted(x, 3, {}) / 2;
      alarms += static_cast<double>(run(x).alarms) / 10 / 2;
    }
    say(fmt::format("shop_{}.planted_half_one_hour_found", size), one, "percent");
    say(fmt::format("shop_{}.planted_half_three_hours_found", size), three, "percent");
    say(fmt::format("shop_{}.alarms", size), alarms, "per_week");
  }
}

/// Sums over `per` points each, from the first whole one on.
std::vector<series::point> coarser(const std::vector<series::point>& x, std::int64_t step) {
  std::map<std::int64_t, double> sums;
  for (const auto& p : x)
    sums[p.at.value / step] += p.value;
  std::vector<series::point> out;
  for (const auto& [k, sum] : sums)
    out.push_back({{k * step}, sum, ""});
  // The first and the last may be parts only.
  return {out.begin() + 1, out.end() - 1};
}

struct skill {
  double inside = 0, points = 0, ratio = 0;
};

/// Forecasts from cuts spread over the last part of a series against what came; errors against those of the value one
/// season before, cut by cut.
skill forecast_skill(const std::vector<series::point>& x, std::size_t first, std::size_t horizon, std::size_t season,
                     std::size_t cuts) {
  skill out;
  double ours = 0, naive = 0;
  for (std::size_t c = 0; c < cuts; ++c) {
    const auto cut = first + c * (x.size() - horizon - first) / std::max<std::size_t>(1, cuts - 1);
    const auto f = series::predict({x.begin(), x.begin() + static_cast<std::ptrdiff_t>(cut)}, horizon).value();
    for (std::size_t k = 0; k < horizon; ++k) {
      const auto truth = x[cut + k].value;
      out.inside += truth >= f.points[k].lower && truth <= f.points[k].upper;
      ++out.points;
      ours += std::abs(truth - f.points[k].expected);
      naive += std::abs(truth - x[cut + k - (k / season + 1) * season].value);
    }
  }
  out.ratio = ours / naive;
  return out;
}

void forecast_part(const std::vector<file>& files, const std::string& path) {
  const auto shop = retail(path);
  const auto daily = coarser(shop.revenue, day_ms), weekly = coarser(shop.revenue, 7 * day_ms);
  std::map<std::string, skill> all;
  all["retail_daily"] = forecast_skill(daily, 60, 7, 7, 40);
  all["retail_weekly"] = forecast_skill(weekly, 10, 2, 1, weekly.size() - 11);
  for (const auto& f : files) {
    const auto seasonal = f.name.find("nyc_taxi") != f.name.npos || f.name.find("Twitter") != f.name.npos ||
                          f.name.find("art_daily_small_noise") != f.name.npos || f.name.find("ambient") != f.name.npos;
    if (!seasonal)
      continue;
    const auto x = coarser(f.points, hour_ms);
    const std::size_t season = x.size() >= 3 * 168 ? 168 : 24;
    all[f.name.substr(f.name.find('/') + 1)] = forecast_skill(x, x.size() / 2, 24, season, 150);
  }
  double sum = 0;
  for (const auto& [name, s] : all) {
    say(fmt::format("forecast.coverage_90_{}", name), 100 * s.inside / s.points, "percent");
    say(fmt::format("forecast.error_against_seasonal_naive_{}", name), s.ratio, "ratio");
    sum += s.ratio;
  }
  say("forecast.error_against_seasonal_naive_mean", sum / static_cast<double>(all.size()), "ratio");
}

void cost_part(const std::vector<file>& files) {
  std::size_t points = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& f : files)
    points += run(f.points).score.size();
  const auto took = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  say("cost.point", took / static_cast<double>(points), "us");
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_series FOLDER RETAIL.csv [nab|halves|vus|views|retail|forecast|cost...]\n");
    return 2;
  }
  const std::set<std::string_view> parts(argv + 3, argv + argc);
  const auto wanted = [&](std::string_view part) {
    return parts.empty() ? part != "views" && part != "halves" : parts.contains(part);
  };
  const auto files = labelled_files(argv[1]);
  if (wanted("nab"))
    nab_part(files);
  if (wanted("halves"))
    halves_part(files);
  if (wanted("vus"))
    vus_part(files);
  if (wanted("views"))
    views_part(files);
  if (wanted("retail"))
    retail_part(argv[2]);
  if (wanted("forecast"))
    forecast_part(files, argv[2]);
  if (wanted("cost"))
    cost_part(files);
}
