// See forecast.hpp.
#include "models/query/forecast.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/money.hpp"

namespace pulse::query {

namespace {

constexpr std::size_t horizon_max = 400;

/// Takes those parameters that only a forecast has, and notes what is wrong with them.
class own_parameters {
public:
  explicit own_parameters(const parameters& given) : rest_(given) {
  }

  std::optional<std::string> text(std::string_view name) {
    std::optional<std::string> out;
    for (auto i = rest_.begin(); i != rest_.end();) {
      if (i->first != name) {
        ++i;
        continue;
      }
      if (out)
        add(name, "given more than once");
      out = i->second;
      i = rest_.erase(i);
    }
    return out;
  }

  std::optional<double> number(std::string_view name, double low, double high) {
    const auto word = text(name);
    if (!word)
      return std::nullopt;
    const auto read = parse_decimal(*word);
    const auto x = read ? static_cast<double>(read->micro) / 1e6 : NAN;
    if (x >= low && x <= high)
      return x;
    add(name, fmt::format("a number from {} to {}", low, high));
    return std::nullopt;
  }

  void add(std::string_view name, const std::string& detail) {
    found.push_back({fmt::format("/{}", name), "invalid", fmt::format("{}: {}", name, detail)});
  }

  const parameters& rest() const {
    return rest_;
  }

  problems found;

private:
  parameters rest_;
};

std::int64_t default_past(granularity g) {
  return g == granularity::hour ? 56 * day_ms : g == granularity::day ? 400 * day_ms : 1'100 * day_ms;
}

/// Room for all of the horizon's buckets, however long the zone makes them.
std::int64_t ahead(granularity g, std::size_t buckets) {
  const auto widest = g == granularity::hour ? hour_ms : g == granularity::day ? 25 * hour_ms : 7 * day_ms + hour_ms;
  return static_cast<std::int64_t>(buckets) * widest;
}

/// Back to what the metric's answers hold: money as a decimal string, the rest as numbers.
value value_of(double x, const metric_info& metric, const std::string& unit) {
  if (!metric.money)
    return x;
  const auto code = parse_currency(unit).value_or(currency{});
  const auto minor = x * std::pow(10, minor_digits(code));
  return money{std::llround(std::clamp(minor, -9e18, 9e18)), code}.amount();
}

struct maker {
  const metric_info& metric;
  const std::string& unit;

  forecast_value operator()(double expected, double lower, double upper) const {
    return {value_of(expected, metric, unit), value_of(lower, metric, unit), value_of(upper, metric, unit)};
  }

  forecast_value operator()(const pulse::series::forecast_point& p) const {
    return (*this)(p.expected, p.lower, p.upper);
  }
};

/// Whole buckets behind the first one in which there was anything: that one began before the shop did.
std::vector<pulse::series::point> past_of(const forecast_question& q, const metric_answer& span, std::size_t whole) {
  std::vector<pulse::series::point> out;
  for (std::size_t i = 0; i < whole; ++i) {
    const auto x = number_of(span.series.front().points[i]);
    if (!out.empty() || x != 0)
      out.push_back({span.buckets[i], x, {}});
  }
  if (!out.empty())
    out.erase(out.begin());
  // A week or a day of the clock's change is no other step.
  const auto step = q.span.granularity == granularity::hour  ? hour_ms
                    : q.span.granularity == granularity::day ? day_ms
                                                             : 7 * day_ms;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i].at = {static_cast<std::int64_t>(i) * step};
  return out;
}

result<forecast_answer::goal_course> course_of(const forecast_question& q, const metric_answer& span, std::size_t whole,
                                               const metric_answer& periods,
                                               const std::vector<pulse::series::point>& past, const maker& make) {
  const auto after = std::upper_bound(periods.buckets.begin(), periods.buckets.end(), q.as_of);
  if (after == periods.buckets.begin() || after == periods.buckets.end())
    return error{ec::internal, "the period of the goal is not among its buckets", ""};
  forecast_answer::goal_course out;
  out.from = *(after - 1);
  out.to = *after;
  double so_far = 0;
  for (std::size_t i = 0; i < whole; ++i)
    if (span.buckets[i] >= out.from)
      so_far += number_of(span.series.front().points[i]);
  const auto left = static_cast<std::size_t>(std::count_if(span.buckets.begin() + static_cast<std::ptrdiff_t>(whole),
                                                           span.buckets.end(), [&](time_ms t) { return t < out.to; }));
  const auto rest = pulse::series::predict(past, std::max<std::size_t>(1, left), {.level = q.level});
  if (!rest)
    return rest.err();
  const auto c = pulse::series::on_course(so_far, rest->total, *q.goal);
  out.goal = value_of(*q.goal, make.metric, make.unit);
  out.so_far = value_of(so_far, make.metric, make.unit);
  out.sum = make(c.expected, c.lower, c.upper);
  out.against_goal = c.against_goal;
  out.sure = c.sure;
  out.text = pulse::series::describe(c, to_string(q.period));
  return out;
}

} // namespace

read<forecast_question> read_forecast_question(const metric_info& metric, const parameters& given, time_ms now) {
  own_parameters own(given);
  forecast_question q;
  if (const auto n = own.number("horizon", 1, horizon_max))
    q.horizon = static_cast<std::size_t>(*n);
  if (const auto level = own.number("level", 0.5, 0.99))
    q.level = *level;
  q.goal = own.number("goal", 0, 9e12);
  if (const auto word = own.text("period")) {
    const auto period = parse_granularity(*word);
    if (period == granularity::week || period == granularity::month)
      q.period = *period;
    else
      own.add("period", "week or month");
  }
  auto rest = own.rest();
  const auto has = [&](std::string_view name) {
    return std::any_of(rest.begin(), rest.end(), [&](const auto& p) { return p.first == name; });
  };
  const bool own_past = has("from");
  if (!has("granularity"))
    rest.emplace_back("granularity", "day");
  if (has("group_by"))
    own.add("group_by", "a forecast is of one series; filters choose it");
  if (!metric.additive || metric.id == metric::aov || metric.id == metric::risk_mean)
    own.add("metric", fmt::format("{} does not add up over time, so it is not forecast", metric.name));
  auto span = read_metric_question(metric, rest, now);
  if (auto* found = std::get_if<problems>(&span))
    own.found.insert(own.found.end(), found->begin(), found->end());
  if (!own.found.empty())
    return own.found;
  q.span = std::get<metric_question>(std::move(span));
  const auto g = q.span.granularity;
  if (g == granularity::minute || g == granularity::month)
    own.add("granularity", "hour, day or week");
  if (q.goal && g != granularity::day)
    own.add("goal", "with granularity day");
  if (!own.found.empty())
    return own.found;
  q.as_of = has("to") ? q.span.to : now;
  if (!own_past)
    q.span.from = {std::max<std::int64_t>(0, q.as_of.value - default_past(g))};
  q.span.to = {q.as_of.value + ahead(g, std::max<std::size_t>(q.horizon, q.goal ? 32 : 0) + 1)};
  return q;
}

metric_question period_question(const forecast_question& q) {
  auto out = q.span;
  out.granularity = q.period;
  out.from = q.as_of;
  out.to = {q.as_of.value + 32 * day_ms};
  return out;
}

result<forecast_answer> answer_forecast(const forecast_question& q, const metric_answer& span,
                                        const std::optional<metric_answer>& periods) {
  const auto begun = std::upper_bound(span.buckets.begin(), span.buckets.end(), q.as_of) - span.buckets.begin();
  const auto whole = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, begun - 1));
  const auto past = past_of(q, span, whole);
  const auto f = pulse::series::predict(past, q.horizon, {.level = q.level});
  if (!f)
    return error{f.err().code, fmt::format("{} from the first {} on", f.err().detail, info_of(q.span.metric).name), ""};
  const maker make{info_of(q.span.metric), span.unit};
  forecast_answer out;
  out.question = q;
  out.unit = span.unit;
  out.timezone = span.question.timezone;
  out.method = f->method;
  for (std::size_t k = 0; k < q.horizon && whole + k < span.buckets.size(); ++k) {
    out.times.push_back(span.buckets[whole + k]);
    out.points.push_back(make(f->points[k]));
  }
  out.total = make(f->total);
  if (q.goal && periods) {
    auto course = course_of(q, span, whole, *periods, past, make);
    if (!course)
      return course.err();
    out.course = std::move(*course);
  }
  return out;
}

} // namespace pulse::query
