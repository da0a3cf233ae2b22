// See incident.hpp.
#include "models/series/incident.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::series {

namespace {

constexpr double share_min = 0.1;
/// Where no share of the change is further from the usual share of the total, all move in step.
constexpr double in_step = 1.0 / 6;

} // namespace

std::vector<incident> group_alarms(std::vector<series_alarm> alarms, std::int64_t gap_ms) {
  std::stable_sort(alarms.begin(), alarms.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  std::vector<incident> out;
  for (auto& a : alarms) {
    if (out.empty() || a.at.value - out.back().last.value > gap_ms)
      out.push_back({a.at, a.at, {}});
    out.back().last = a.at;
    out.back().alarms.push_back(std::move(a));
  }
  return out;
}

explanation explain(const segment_change& total, const std::vector<segment_change>& segments, std::size_t drivers_max) {
  explanation out;
  out.change = out.rest = total.change();
  if (out.change == 0)
    return out;
  const auto whole = static_cast<double>(out.change);
  std::vector<driver> all;
  double out_of_step = 0;
  for (const auto& s : segments) {
    const auto share = static_cast<double>(s.change()) / whole;
    const auto usual = total.expected != 0 ? static_cast<double>(s.expected) / static_cast<double>(total.expected) : 0;
    all.push_back({s.segment, s.expected, s.actual, s.change(), share, usual > 0 ? share / usual : 0});
    out_of_step = std::max(out_of_step, std::abs(share - usual));
  }
  out.broad = segments.size() > 1 && out_of_step < in_step;
  std::stable_sort(all.begin(), all.end(), [](const driver& a, const driver& b) { return a.share > b.share; });
  for (auto& d : all) {
    if (out.drivers.size() == drivers_max || std::abs(d.share) < share_min)
      continue;
    out.rest -= d.change;
    out.drivers.push_back(std::move(d));
  }
  return out;
}

} // namespace pulse::series
