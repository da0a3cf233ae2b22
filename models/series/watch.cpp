// See watch.hpp.
#include "models/series/watch.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include "models/series/watch_lines.hpp"

namespace pulse::series {

namespace {

constexpr std::int64_t week_hours = 168;
/// Weeks whose same hours say which share of the total a segment usually has.
constexpr std::int64_t share_weeks = 4;

/// Hours in which something alarmed, close ones as one.
struct stretch {
  std::size_t first = 0;
  std::size_t last = 0;
  double strength = 0;
};

std::vector<stretch> stretches(const watch_question& q, const std::vector<judged_line>& lines, std::int64_t gap_ms) {
  std::vector<stretch> out;
  for (std::size_t i = 0; i < hours_of(q); ++i) {
    double strongest = 0;
    for (const auto& l : lines)
      strongest = std::max(strongest, l.strength[i]);
    if (strongest <= 0)
      continue;
    if (out.empty() || static_cast<std::int64_t>(i - out.back().last) * hour_ms > gap_ms)
      out.push_back({i, i, 0});
    out.back().last = i;
    out.back().strength = std::max(out.back().strength, strongest);
  }
  return out;
}

/// One of these began in the stretch, or so close to its begin that it is the same.
bool has_begin(const std::vector<time_ms>& begins, const watch_question& q, const stretch& s, std::int64_t gap_ms) {
  const auto begin = hour(q, s.first).value, end = std::max(hour(q, s.last).value, begin + gap_ms);
  return std::any_of(begins.begin(), begins.end(),
                     [&](time_ms t) { return t.value >= begin - gap_ms && t.value <= end; });
}

/// What an incident must be stronger than, so that the past would have kept within the budget: the strength of the
/// strongest one that it had no room for. What was withheld took no room.
double limit_of(const std::vector<stretch>& all, const watch_question& q, const watch_config& config) {
  const auto past = std::min(q.fresh, hours_of(q));
  if (past <= config.hours_min)
    return 0;
  const auto weeks = static_cast<double>(past - config.hours_min) / static_cast<double>(week_hours);
  const auto room = static_cast<std::size_t>(std::ceil(static_cast<double>(config.per_week) * std::max(1.0, weeks)));
  std::vector<double> strengths;
  for (const auto& s : all)
    if (s.first < past && !has_begin(q.withheld, q, s, config.gap_ms))
      strengths.push_back(s.strength);
  if (strengths.size() <= room)
    return 0;
  std::sort(strengths.begin(), strengths.end(), std::greater<>());
  return strengths[room];
}

std::int64_t value_in(const metric_line& line, const stretch& s) {
  std::int64_t out = 0;
  for (auto i = s.first; i <= s.last; ++i)
    out += line.values[i];
  return out;
}

std::int64_t expected_in(const judged_line& l, const stretch& s) {
  double out = 0;
  for (auto i = s.first; i <= s.last; ++i)
    out += l.expected[i];
  return std::llround(std::clamp(out, -1e15, 1e15));
}

/// The same hours of the weeks before.
double usual_in(const metric_line& line, const stretch& s) {
  double out = 0;
  for (auto i = static_cast<std::int64_t>(s.first); i <= static_cast<std::int64_t>(s.last); ++i)
    for (auto back = 1; back <= share_weeks && i >= back * week_hours; ++back)
      out += static_cast<double>(line.values[static_cast<std::size_t>(i - back * week_hours)]);
  return out;
}

std::string_view dimension_of(std::string_view segment) {
  return segment.substr(0, segment.find('='));
}

/// Segments of one dimension are expected to have their usual share of what is expected of the total. Of several
/// dimensions the one is told in which one segment stands out most.
explanation explain_change(const std::vector<judged_line>& lines, const judged_line& total, const stretch& s) {
  const segment_change whole{"", expected_in(total, s), value_in(*total.line, s)};
  const auto usual_whole = usual_in(*total.line, s);
  std::map<std::string_view, std::vector<segment_change>> by_dimension;
  for (const auto& l : lines) {
    if (l.line->metric != total.line->metric || l.line->segment.empty())
      continue;
    const auto share = usual_whole > 0 ? usual_in(*l.line, s) / usual_whole : 0;
    by_dimension[dimension_of(l.line->segment)].push_back(
        {l.line->segment, std::llround(share * static_cast<double>(whole.expected)), value_in(*l.line, s)});
  }
  explanation best = explain(whole, {});
  double most = -1;
  for (const auto& [dimension, segments] : by_dimension) {
    auto e = explain(whole, segments);
    const auto stands_out = e.drivers.empty() || e.broad ? 0 : std::abs(e.drivers.front().share);
    if (stands_out > most)
      most = stands_out, best = std::move(e);
  }
  return best;
}

finding describe(const watch_question& q, const std::vector<judged_line>& lines, const stretch& s) {
  finding out{hour(q, s.first), hour(q, s.last), {}, {}, {}};
  std::vector<std::pair<moved, const judged_line*>> all;
  for (const auto& l : lines) {
    const auto peak = *std::max_element(l.strength.begin() + static_cast<std::ptrdiff_t>(s.first),
                                        l.strength.begin() + static_cast<std::ptrdiff_t>(s.last) + 1);
    if (peak > 0)
      all.push_back({{l.line->metric, l.line->segment, value_in(*l.line, s), expected_in(l, s), peak}, &l});
  }
  // Orders and their revenue are about as odd as each other: the one that segments explain comes first.
  const auto place = [&](const moved& m) {
    const auto explained = std::any_of(lines.begin(), lines.end(), [&](const judged_line& l) {
      return l.line->metric == m.metric && !l.line->segment.empty();
    });
    return std::tuple(!m.segment.empty(), -std::llround(5 * m.strength), !explained);
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return place(a.first) < place(b.first); });
  for (const auto& [m, l] : all)
    out.what.push_back(m);
  const auto& main = *all.front().second;
  for (auto i = s.first; i <= s.last && out.reason.empty(); ++i)
    out.reason = main.reason[i];
  out.parts = main.line->segment.empty()
                  ? explain_change(lines, main, s)
                  : explain({"", expected_in(main, s), value_in(*main.line, s)},
                            {{main.line->segment, expected_in(main, s), value_in(*main.line, s)}});
  return out;
}

/// The part of a stretch that is to be judged now; nothing of one that goes on: it was judged when it began, and what
/// it is made of may look a little different by now. What was withheld hides nothing that comes after it: its new hours
/// are judged as if they began something.
std::optional<stretch> unjudged(const watch_question& q, const std::vector<judged_line>& lines, stretch s,
                                const watch_config& config) {
  if (s.last < q.fresh || has_begin(q.told, q, s, config.gap_ms))
    return std::nullopt;
  if (!has_begin(q.withheld, q, s, config.gap_ms))
    return s.first < q.fresh ? std::nullopt : std::optional(s);
  stretch out{s.last, s.last, 0};
  for (auto i = std::max(s.first, q.fresh); i <= s.last; ++i)
    for (const auto& l : lines)
      if (l.strength[i] > 0)
        out = {std::min(out.first, i), s.last, std::max(out.strength, l.strength[i])};
  return out;
}

} // namespace

incident_line line_of(const finding& f) {
  const auto& main = f.what.front();
  return {main.metric, main.segment, main.value > main.expected};
}

double strength_of(const finding& f) {
  double out = 0;
  for (const auto& m : f.what)
    out = std::max(out, m.strength);
  return out;
}

double weight_of(const finding& f) {
  double out = 0;
  for (const auto& m : f.what)
    out = std::max(out, m.strength * std::abs(static_cast<double>(m.value - m.expected)) /
                            std::max(1.0, static_cast<double>(m.expected)));
  return out;
}

namespace {

watch_answer look(const watch_question& q, const std::vector<judged_line>& lines, const watch_config& config) {
  watch_answer out;
  const auto all = stretches(q, lines, config.gap_ms);
  const auto limit = limit_of(all, q, config);
  const auto now = hour(q, hours_of(q));
  auto told = q.told;
  for (const auto& whole : all) {
    const auto s = unjudged(q, lines, whole, config);
    if (!s)
      continue;
    const auto begin = hour(q, s->first);
    const auto in_week = std::count_if(told.begin(), told.end(),
                                       [&](time_ms t) { return std::abs(t.value - begin.value) < 7 * day_ms; });
    if (s->strength <= limit || static_cast<std::size_t>(in_week) >= config.per_week) {
      ++out.held;
      continue;
    }
    auto found = describe(q, lines, *s);
    const auto bar = bar_of(q.judged, line_of(found), now);
    if (bar && weight_of(found) < bar->needed) {
      // Its first hours are stored already where it goes on.
      if (!has_begin(q.withheld, q, whole, config.gap_ms))
        out.withheld.push_back({std::move(found), *bar});
      continue;
    }
    told.push_back(begin);
    out.told.push_back(std::move(found));
  }
  return out;
}

} // namespace

watch_answer watch(const watch_question& q, const watch_config& config) {
  return look(q, judge_all(q, config), config);
}

watch_answer simulate(const watch_question& q, const watch_config& config) {
  const auto whole = judge_all(q, config);
  watch_question seen{q.from, {}, 0, q.zone, {}};
  for (const auto& line : q.lines)
    seen.lines.push_back({line.metric, line.segment, {}});
  std::vector<judged_line> lines(whole.size());
  watch_answer out;
  for (std::size_t i = 0; i < hours_of(q); ++i) {
    for (std::size_t k = 0; k < lines.size(); ++k) {
      seen.lines[k].values.push_back(q.lines[k].values[i]);
      lines[k].line = &seen.lines[k];
      lines[k].expected.push_back(whole[k].expected[i]);
      lines[k].strength.push_back(whole[k].strength[i]);
      lines[k].reason.push_back(whole[k].reason[i]);
    }
    // Nothing alarmed: nothing would be said.
    if (std::all_of(lines.begin(), lines.end(), [](const judged_line& l) { return l.strength.back() <= 0; }))
      continue;
    seen.fresh = i;
    auto now = look(seen, lines, config);
    out.held += now.held;
    for (auto& f : now.told) {
      seen.told.push_back(f.first);
      out.told.push_back(std::move(f));
    }
  }
  return out;
}

} // namespace pulse::series
