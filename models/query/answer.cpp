#include "models/query/answer.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>

namespace pulse::query {

namespace {

constexpr std::int64_t quarter_ms = 15 * minute_ms;
/// Minutes are kept 14 days; an hour less is asked of them, so that none goes while it is read.
constexpr std::int64_t minutes_kept_ms = 14 * day_ms - hour_ms;

std::int64_t down(std::int64_t t, std::int64_t width) {
  return t / width * width;
}

std::int64_t up(std::int64_t t, std::int64_t width) {
  return down(t + width - 1, width);
}

void add_piece(std::vector<piece>& out, origin o, std::int64_t from, std::int64_t to) {
  if (from >= to)
    return;
  if (!out.empty() && out.back().origin == o)
    out.back().to = time_ms{to};
  else
    out.push_back({o, time_ms{from}, time_ms{to}});
}

void add_edge(std::vector<piece>& out, std::int64_t from, std::int64_t to, time_ms now) {
  const auto first = up(from, minute_ms);
  const auto last = down(to, minute_ms);
  if (from < now.value - minutes_kept_ms || first >= last)
    return add_piece(out, origin::events, from, to);
  add_piece(out, origin::events, from, first);
  add_piece(out, origin::minutes, first, last);
  add_piece(out, origin::events, last, to);
}

/// All that is known of a group in a bucket, or of the whole. A sum that no bigint holds stays at its limit.
struct cell {
  rollup::measures all;
  /// Of the tenant's currency, or of none.
  rollup::measures own;

  void add(const sums_row& row, bool is_own) {
    (void)all.add(row.sums);
    if (is_own)
      (void)own.add(row.sums);
  }
};

rollup::measures minus(rollup::measures a, const rollup::measures& b) {
  a.events -= b.events;
  a.orders -= b.orders;
  a.revenue_minor -= b.revenue_minor;
  a.refunds_minor -= b.refunds_minor;
  a.line_micro -= b.line_micro;
  a.anomalies -= b.anomalies;
  a.risk_milli -= b.risk_milli;
  return a;
}

class reckoner {
public:
  explicit reckoner(const answer_frame& f) :
    q_(f.question),
    unit_(parse_currency(f.currency).value_or(currency{})),
    by_lines_(q_.group_by == dimension::product || q_.filter(dimension::product).has_value()) {
  }

  bool is_own(const std::string& code) const {
    return code.empty() || code == "XXX" || code == unit_.str();
  }

  value value_of(const cell& c) const {
    switch (q_.metric) {
      case metric::events: return c.all.events;
      case metric::orders: return c.all.orders;
      case metric::anomalies: return c.all.anomalies;
      case metric::refunds: return money{c.own.refunds_minor, unit_}.amount();
      case metric::revenue: return revenue(c.own, unit_).amount();
      case metric::aov: return mean_order(c.own);
      case metric::risk_mean:
        return c.all.events == 0 ? 0.0
                                 : static_cast<double>(c.all.risk_milli) / 1000.0 / static_cast<double>(c.all.events);
      case metric::customers:
      case metric::sessions:
      case metric::conversion: break;
    }
    return std::int64_t{0};
  }

  /// A group in which nothing of this metric is is not told.
  bool tells(const cell& c) const {
    switch (q_.metric) {
      case metric::orders:
      case metric::revenue:
      case metric::aov: return c.all.orders != 0;
      case metric::refunds: return c.all.refunds_minor != 0;
      case metric::anomalies: return c.all.anomalies != 0;
      default: return c.all.events != 0;
    }
  }

  std::optional<money> other(const sums_row& row) const {
    const auto unit = parse_currency(row.currency);
    if (!unit || is_own(row.currency))
      return std::nullopt;
    const auto m = q_.metric == metric::refunds ? money{row.sums.refunds_minor, *unit} : revenue(row.sums, *unit);
    return m.minor == 0 ? std::nullopt : std::optional(m);
  }

private:
  money revenue(const rollup::measures& m, currency unit) const {
    return by_lines_ ? to_money(decimal{m.line_micro}, unit) : money{m.revenue_minor, unit};
  }

  /// Half-up to the minor unit.
  std::string mean_order(const rollup::measures& m) const {
    if (m.orders == 0)
      return money{0, unit_}.amount();
    __extension__ using int128 = __int128;
    int128 divisor = m.orders;
    int128 sum = m.revenue_minor;
    if (by_lines_) {
      sum = m.line_micro;
      for (int i = minor_digits(unit_); i < 6; ++i)
        divisor *= 10;
    }
    const auto twice = 2 * sum + (sum >= 0 ? divisor : -divisor);
    return money{static_cast<std::int64_t>(twice / (2 * divisor)), unit_}.amount();
  }

  const metric_question& q_;
  currency unit_;
  bool by_lines_;
};

using group_name = std::optional<std::string>;

/// Groups by name; the one without a name last.
struct name_order {
  bool operator()(const group_name& a, const group_name& b) const {
    return a && b ? *a < *b : a.has_value() && !b.has_value();
  }
};

template <class Cell>
using grid = std::map<group_name, std::map<std::int64_t, Cell>, name_order>;

error too_many(std::size_t groups, std::size_t buckets) {
  return {ec::invalid,
          fmt::format("{} groups in {} buckets are more than the {} points of an answer: ask for a shorter range, a "
                      "wider granularity, or filter",
                      groups, buckets, points_max),
          "/group_by"};
}

metric_answer start(const answer_frame& frame) {
  metric_answer out;
  out.question = frame.question;
  out.buckets = frame.buckets;
  const auto& info = info_of(frame.question.metric);
  out.unit = info.money ? (frame.currency.empty() ? "XXX" : frame.currency) : std::string(info.unit);
  return out;
}

template <class Cell, class Value>
std::vector<value> points_of(const std::vector<time_ms>& buckets, const std::map<std::int64_t, Cell>& cells,
                             const Value& value_of) {
  std::vector<value> out;
  out.reserve(buckets.size());
  const Cell none{};
  for (auto t : buckets) {
    const auto at = cells.find(t.value);
    out.push_back(value_of(at == cells.end() ? none : at->second));
  }
  return out;
}

} // namespace

double number_of(const value& v) {
  if (const auto* text = std::get_if<std::string>(&v)) {
    double out = 0;
    std::from_chars(text->data(), text->data() + text->size(), out);
    return out;
  }
  if (const auto* count = std::get_if<std::int64_t>(&v))
    return static_cast<double>(*count);
  return std::get<double>(v);
}

std::vector<piece> split_range(time_ms from, time_ms to, granularity g, time_ms now) {
  std::vector<piece> out;
  const auto first = up(from.value, quarter_ms);
  const auto last = down(to.value, quarter_ms);
  if (g == granularity::minute || first >= last) {
    add_edge(out, from.value, to.value, now);
    return out;
  }
  add_edge(out, from.value, first, now);
  add_piece(out, origin::quarters, first, last);
  add_edge(out, last, to.value, now);
  return out;
}

bool rollups_answer(const metric_question& q) {
  if (q.test || !info_of(q.metric).additive)
    return false;
  const auto filters = std::count_if(q.filters.begin(), q.filters.end(), [](const auto& f) { return f.has_value(); });
  return filters == 0 || (filters == 1 && (!q.group_by || q.filter(*q.group_by).has_value()));
}

result<metric_answer> answer_sums(const answer_frame& frame, const std::vector<sums_row>& whole,
                                  const std::vector<sums_row>& grouped) {
  auto out = start(frame);
  const auto& q = frame.question;
  const reckoner reckon(frame);
  const bool by_product = q.group_by == dimension::product;
  cell total;
  std::map<std::int64_t, cell> all;
  for (const auto& row : whole) {
    total.add(row, reckon.is_own(row.currency));
    all[row.bucket.value].add(row, reckon.is_own(row.currency));
  }
  grid<cell> groups;
  std::map<std::string, money> other;
  for (const auto& row : grouped)
    groups[row.group][row.bucket.value].add(row, reckon.is_own(row.currency));
  for (const auto& row : by_product ? grouped : whole)
    if (const auto m = reckon.other(row); m && info_of(q.metric).money)
      other.try_emplace(row.currency, money{0, m->unit}).first->second.minor += m->minor;
  if (!q.group_by) {
    groups[std::nullopt] = std::move(all);
  } else {
    if (!by_product && !q.filter(*q.group_by)) {
      auto rest = all;
      for (const auto& [name, cells] : groups)
        for (const auto& [t, c] : cells)
          rest[t] = {minus(rest[t].all, c.all), minus(rest[t].own, c.own)};
      groups[std::nullopt] = std::move(rest);
    } else if (by_product) {
      // An event is in many products: only its lines' money adds up.
      total.own.line_micro = 0;
      for (const auto& row : grouped)
        if (reckon.is_own(row.currency))
          total.own.line_micro += row.sums.line_micro;
    }
    std::erase_if(groups, [&](const auto& g) {
      return std::none_of(g.second.begin(), g.second.end(), [&](const auto& c) { return reckon.tells(c.second); });
    });
  }
  if (static_cast<std::int64_t>(groups.size() * frame.buckets.size()) > points_max)
    return too_many(groups.size(), frame.buckets.size());
  const auto value_of = [&](const cell& c) {
    return reckon.value_of(c);
  };
  for (const auto& [name, cells] : groups)
    out.series.push_back({name, points_of(frame.buckets, cells, value_of)});
  out.total = reckon.value_of(total);
  for (auto& [code, m] : other)
    out.other_currencies.push_back(m);
  return out;
}

result<metric_answer> answer_distinct(const answer_frame& frame, const std::vector<distinct_row>& rows) {
  auto out = start(frame);
  out.from_events = true;
  const bool ratio = frame.question.metric == metric::conversion;
  const auto value_of = [&](const distinct_row& r) -> value {
    if (!ratio)
      return r.things;
    return r.things == 0 ? 0.0 : static_cast<double>(r.converted) / static_cast<double>(r.things);
  };
  out.total = value_of({});
  grid<distinct_row> groups;
  if (!frame.question.group_by)
    groups[std::nullopt];
  for (const auto& row : rows) {
    if (row.bucket)
      groups[row.group][row.bucket->value] = row;
    else
      out.total = value_of(row);
  }
  if (frame.question.group_by)
    std::erase_if(groups, [](const auto& g) {
      return std::none_of(g.second.begin(), g.second.end(), [](const auto& c) { return c.second.things != 0; });
    });
  if (static_cast<std::int64_t>(groups.size() * frame.buckets.size()) > points_max)
    return too_many(groups.size(), frame.buckets.size());
  for (const auto& [name, cells] : groups)
    out.series.push_back({name, points_of(frame.buckets, cells, value_of)});
  return out;
}

} // namespace pulse::query
