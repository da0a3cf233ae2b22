// See report.hpp.
#include "models/campaign/report.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

namespace pulse::campaign {

namespace {

constexpr double quiet_share = 0.05;
constexpr double reached_share = 0.9;
constexpr double control_share_min = 0.2;

double total(const std::vector<double>& days) {
  return std::accumulate(days.begin(), days.end(), 0.0);
}

void find_run(const activity& a, report& out) {
  const auto busiest = a.events.empty() ? 0 : *std::max_element(a.events.begin(), a.events.end());
  for (std::size_t day = 0; day < a.events.size() && busiest > 0; ++day)
    if (a.events[day] >= quiet_share * busiest) {
      out.begin = out.end == 0 ? day : out.begin;
      out.end = day + 1;
    }
  out.spend = a.spend;
}

/// The fewest segments that have nine tenths of the orders.
std::set<std::string> reached(const reach& r) {
  auto by_size = r.orders;
  std::stable_sort(by_size.begin(), by_size.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  double all = 0, so_far = 0;
  for (const auto& [name, orders] : by_size)
    all += orders;
  std::set<std::string> out;
  for (const auto& [name, orders] : by_size) {
    if (so_far >= reached_share * all)
      break;
    out.insert(name), so_far += orders;
  }
  return out;
}

struct divided {
  const split* of = nullptr;
  std::set<std::string> treated;
  double control_share = 0;
};

std::optional<divided> divide(const split& s, const reach& r) {
  divided out{&s, reached(r), 0};
  double treated = 0, control = 0;
  for (const auto& [name, days] : s.segments)
    (out.treated.contains(name) ? treated : control) += total(days);
  if (treated <= 0 || control < control_share_min * (treated + control))
    return std::nullopt;
  out.control_share = control / (treated + control);
  return out;
}

history history_of(const report& r, const divided& d) {
  history out{r.name, {}, {}, r.begin, r.end, r.spend};
  for (const auto& [name, days] : d.of->segments) {
    auto& into = d.treated.contains(name) ? out.treated : out.control;
    into.resize(days.size());
    for (std::size_t i = 0; i < days.size(); ++i)
      into[i] += days[i];
  }
  return out;
}

} // namespace

report measure_campaign(const activity& a, const std::vector<reach>& reaches, const std::vector<split>& splits,
                        double level) {
  report out;
  out.name = a.name;
  find_run(a, out);
  if (out.end == 0) {
    out.result.reason = "the campaign was not seen in this time";
    return out;
  }
  std::optional<divided> best;
  for (const auto& s : splits)
    for (const auto& r : reaches)
      if (r.dimension == s.dimension)
        if (auto d = divide(s, r); d && (!best || d->control_share > best->control_share))
          best = std::move(d);
  if (!best) {
    out.result.reason =
        "it spoke to all stores and countries alike: none is left to show what would have been without it";
    return out;
  }
  out.dimension = best->of->dimension;
  out.segments.assign(best->treated.begin(), best->treated.end());
  out.result = measure(history_of(out, *best), level);
  return out;
}

} // namespace pulse::campaign
