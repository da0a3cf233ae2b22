#include "models/query/request.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

#include "base/money.hpp"

namespace pulse::query {

namespace {

constexpr std::int64_t page_max = 1000;
constexpr std::size_t value_bytes_max = 1000;

/// Takes parameters by name; what nobody took in the end is a problem too.
class taker {
public:
  explicit taker(const parameters& given) : given_(given), taken_(given.size()) {
  }

  std::optional<std::string> text(std::string_view name) {
    std::optional<std::string> out;
    for (std::size_t i = 0; i < given_.size(); ++i) {
      if (given_[i].first != name)
        continue;
      if (out)
        add(name, "repeated", "given more than once");
      taken_[i] = true;
      out = given_[i].second;
    }
    if (out && (out->size() > value_bytes_max || out->find('\0') != std::string::npos)) {
      add(name, "invalid", fmt::format("at most {} bytes, without NUL", value_bytes_max));
      return std::nullopt;
    }
    return out;
  }

  std::optional<time_ms> time(std::string_view name) {
    const auto word = text(name);
    if (!word)
      return std::nullopt;
    const auto t = parse_time(*word);
    // Ids hold 48 bits of milliseconds from 1970 on.
    if (!t || t->value < 0 || t->value > 4'102'444'800'000)
      add(name, "invalid", "a time of RFC 3339 from 1970 to 2099, such as 2026-11-24T00:00:00Z");
    return t;
  }

  bool test_mode() {
    const auto word = text("mode");
    if (word && *word != "live" && *word != "test")
      add("mode", "invalid", "live or test");
    return word == "test";
  }

  std::array<std::optional<std::string>, dimension_count> filters() {
    std::array<std::optional<std::string>, dimension_count> out;
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = text(to_string(static_cast<dimension>(i)));
    return out;
  }

  void range(const std::optional<time_ms>& from, const std::optional<time_ms>& to) {
    if (from && to && *from >= *to)
      add("from", "invalid", "before `to`");
  }

  void add(std::string_view name, std::string code, std::string detail) {
    found_.push_back({fmt::format("/{}", name), std::move(code), fmt::format("{}: {}", name, detail)});
  }

  /// The cursor is bound to everything else that was given, but for the page's size.
  void page(page_question& out) {
    std::vector<std::string> parts;
    for (const auto& [name, value] : given_)
      if (name != "cursor" && name != "limit")
        parts.push_back(fmt::format("{}:{}={}", name.size(), name, value));
    std::sort(parts.begin(), parts.end());
    std::string question;
    for (const auto& p : parts)
      question += fmt::format("{}:{}", p.size(), p);
    out.question = fingerprint_of(question);
    out.from = time("from");
    out.to = time("to");
    range(out.from, out.to);
    if (const auto word = text("limit")) {
      const auto* end = word->data() + word->size();
      const auto done = std::from_chars(word->data(), end, out.limit);
      if (done.ec != std::errc{} || done.ptr != end || out.limit < 1 || out.limit > page_max)
        add("limit", "invalid", fmt::format("1 to {}", page_max));
    }
    if (const auto word = text("cursor"); word && !word->empty()) {
      auto last = read_cursor(out.question, *word);
      if (last)
        out.after = *last;
      else
        found_.push_back({"/cursor", "invalid", last.err().detail});
    }
  }

  /// Called last.
  problems finish() {
    for (std::size_t i = 0; i < given_.size(); ++i)
      if (!taken_[i])
        found_.push_back({"/" + given_[i].first, "unknown", fmt::format("{}: no parameter here", given_[i].first)});
    return std::move(found_);
  }

private:
  const parameters& given_;
  std::vector<bool> taken_;
  problems found_;
};

template <class T>
read<T> finish(taker& in, T out) {
  if (auto found = in.finish(); !found.empty())
    return found;
  return out;
}

granularity fitting(std::int64_t range) {
  if (range <= 3 * hour_ms)
    return granularity::minute;
  if (range <= 4 * day_ms)
    return granularity::hour;
  return range <= 186 * day_ms ? granularity::day : range <= 730 * day_ms ? granularity::week : granularity::month;
}

/// Letters, digits and `_+-/` as IANA's names have them; whether the zone exists is asked of Postgres.
bool zone_like(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
           c == '-' || c == '/';
  });
}

void read_product_use(taker& in, const metric_info& metric, const metric_question& q) {
  if (metric.by_product)
    return;
  const auto why = fmt::format("{} belong to an order, not to one of its products", metric.name);
  if (q.group_by == dimension::product)
    in.add("group_by", "invalid", why);
  if (q.filter(dimension::product))
    in.add("product", "invalid", why);
}

} // namespace

read<metric_question> read_metric_question(const metric_info& metric, const parameters& given, time_ms now) {
  taker in(given);
  metric_question q;
  q.metric = metric.id;
  const auto from = in.time("from");
  const auto to = in.time("to");
  in.range(from, to);
  q.to = to.value_or(from ? time_ms{std::max(now.value, from->value) / minute_ms * minute_ms + minute_ms}
                          : time_ms{now.value / minute_ms * minute_ms + minute_ms});
  q.from = from.value_or(time_ms{std::max<std::int64_t>(0, q.to.value - day_ms)});
  const auto range = q.to.value - q.from.value;
  q.granularity = fitting(range);
  if (const auto word = in.text("granularity")) {
    if (const auto g = parse_granularity(*word))
      q.granularity = *g;
    else
      in.add("granularity", "invalid", "minute, hour, day, week or month");
  }
  if (range / width_ms(q.granularity) + 1 > points_max)
    in.add(
        "granularity", "too_many_points",
        fmt::format("{} buckets of a {} are more than the {} points of an answer: ask for a shorter range or a wider "
                    "granularity",
                    range / width_ms(q.granularity) + 1, to_string(q.granularity), points_max));
  if (const auto zone = in.text("timezone")) {
    if (zone_like(*zone))
      q.timezone = *zone;
    else
      in.add("timezone", "invalid", "an IANA name, such as Europe/Paris");
  }
  if (const auto word = in.text("group_by"); word && !word->empty()) {
    q.group_by = parse_dimension(*word);
    if (!q.group_by)
      in.add("group_by", "invalid", "one of store, campaign, product, country, device, name");
  }
  q.filters = in.filters();
  q.test = in.test_mode();
  read_product_use(in, metric, q);
  return finish(in, std::move(q));
}

read<events_question> read_events_question(const parameters& given) {
  taker in(given);
  events_question q;
  in.page(q);
  q.filters = in.filters();
  q.type = in.text("type");
  q.customer = in.text("customer");
  q.outcome = in.text("outcome");
  if (const auto word = in.text("min_risk")) {
    const auto risk = parse_decimal(*word);
    if (risk && risk->micro >= 0 && risk->micro <= 100'000'000)
      q.min_risk_milli = static_cast<std::int32_t>((risk->micro + 999) / 1'000);
    else
      in.add("min_risk", "invalid", "0 to 100");
  }
  if (const auto word = in.text("sort")) {
    q.oldest_first = *word == "time";
    if (*word != "time" && *word != "-time")
      in.add("sort", "invalid", "time or -time");
  }
  q.test = in.test_mode();
  return finish(in, std::move(q));
}

read<page_question> read_page_question(const parameters& given) {
  taker in(given);
  page_question q;
  in.page(q);
  return finish(in, std::move(q));
}

read<failed_question> read_failed_question(const parameters& given) {
  taker in(given);
  failed_question q;
  in.page(q);
  q.code = in.text("code");
  q.stage = in.text("stage");
  return finish(in, std::move(q));
}

read<trail_question> read_trail_question(const parameters& given) {
  taker in(given);
  trail_question q{in.time("from"), in.time("to")};
  in.range(q.from, q.to);
  return finish(in, q);
}

} // namespace pulse::query
