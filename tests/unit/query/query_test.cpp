// The pure part of queries: questions read, cursors, the stretches of time, and what sums mean as values.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "models/query/answer.hpp"

using namespace pulse;
using namespace pulse::query;

namespace {

time_ms at(std::string_view text) {
  return parse_time(text).value();
}

const time_ms now = at("2026-11-24T12:34:56Z");

metric_question good(const parameters& given, metric m = metric::events) {
  const auto out = read_metric_question(info_of(m), given, now);
  if (const auto* found = std::get_if<problems>(&out))
    FAIL(found->front().detail);
  return std::get<metric_question>(out);
}

std::vector<std::string> pointers(const read<metric_question>& out) {
  REQUIRE(std::holds_alternative<problems>(out));
  std::vector<std::string> all;
  for (const auto& p : std::get<problems>(out))
    all.push_back(p.pointer);
  return all;
}

sums_row row(std::optional<std::string> group, time_ms bucket, std::string unit, std::int64_t orders,
             std::int64_t revenue) {
  sums_row out{std::move(group), bucket, std::move(unit), {}};
  out.sums.events = out.sums.orders = orders;
  out.sums.revenue_minor = revenue;
  return out;
}

} // namespace

TEST_CASE("a question without parameters is about the last day by the hour", "[query][f:7.1]") {
  const auto q = good({});
  CHECK(q.to == at("2026-11-24T12:35:00Z"));
  CHECK(q.from == at("2026-11-23T12:35:00Z"));
  CHECK(q.granularity == granularity::hour);
  CHECK(good({{"from", "2026-11-01T00:00:00Z"}}).granularity == granularity::day);
  CHECK(good({{"from", "2026-11-24T12:00:00Z"}}).granularity == granularity::minute);
  CHECK(good({{"from", "2023-01-01T00:00:00Z"}}).granularity == granularity::month);
}

TEST_CASE("all that is wrong with a question is told at once, with its place", "[query][f:7.1]") {
  const auto refused = read_metric_question(info_of(metric::refunds),
                                            {{"from", "yesterday"},
                                             {"granularity", "second"},
                                             {"timezone", "'; DROP"},
                                             {"group_by", "colour"},
                                             {"product", "p1"},
                                             {"mode", "both"},
                                             {"contry", "FR"},
                                             {"store", "a"},
                                             {"store", "b"}},
                                            now);
  auto found = pointers(refused);
  std::sort(found.begin(), found.end());
  CHECK(found == std::vector<std::string>{"/contry", "/from", "/granularity", "/group_by", "/mode", "/product",
                                          "/store", "/timezone"});
  CHECK(pointers(read_metric_question(info_of(metric::events),
                                      {{"from", "2026-11-24T00:00:00Z"}, {"to", "2026-11-24T00:00:00Z"}}, now)) ==
        std::vector<std::string>{"/from"});
  CHECK(pointers(read_metric_question(info_of(metric::events),
                                      {{"from", "2026-01-01T00:00:00Z"}, {"granularity", "minute"}}, now)) ==
        std::vector<std::string>{"/granularity"});
}

TEST_CASE("a cursor belongs to its question, and to no other text", "[query][f:7.2]") {
  const auto question = fingerprint_of("a");
  const auto id = uuid::parse("019a0000-0000-7000-8000-0123456789ab").value();
  const auto cursor = write_cursor(question, id);
  CHECK(read_cursor(question, cursor).value() == id);
  CHECK_FALSE(read_cursor(fingerprint_of("b"), cursor).ok());
  for (const auto* bad : {"", "!", "AAAA", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
    CHECK_FALSE(read_cursor(question, bad).ok());
  // The page's size and the cursor itself may change on the way; a filter may not.
  const auto bound = [](const parameters& given) {
    const auto q = read_events_question(given);
    REQUIRE(std::holds_alternative<events_question>(q));
    return std::get<events_question>(q).question;
  };
  CHECK(bound({{"store", "a"}, {"limit", "5"}}) == bound({{"limit", "6"}, {"store", "a"}}));
  CHECK(bound({{"store", "a"}}) != bound({{"store", "b"}}));
  CHECK(bound({{"store", "a"}, {"name", "b"}}) != bound({{"name", "a"}, {"store", "b"}}));
  CHECK(bound({{"sort", "time"}}) != bound({}));
}

TEST_CASE("the pieces of a range follow each other without a gap", "[query][f:7.6]") {
  const auto from = at("2026-11-24T10:07:30Z");
  const auto to = at("2026-11-24T12:34:56Z");
  const auto pieces = split_range(from, to, granularity::hour, now);
  CHECK(pieces == std::vector<piece>{{origin::events, from, at("2026-11-24T10:08:00Z")},
                                     {origin::minutes, at("2026-11-24T10:08:00Z"), at("2026-11-24T10:15:00Z")},
                                     {origin::quarters, at("2026-11-24T10:15:00Z"), at("2026-11-24T12:30:00Z")},
                                     {origin::minutes, at("2026-11-24T12:30:00Z"), at("2026-11-24T12:34:00Z")},
                                     {origin::events, at("2026-11-24T12:34:00Z"), to}});
  // Older than the minutes are kept.
  const auto old = split_range(at("2026-10-01T10:07:00Z"), at("2026-10-01T10:31:00Z"), granularity::hour, now);
  CHECK(old == std::vector<piece>{{origin::events, at("2026-10-01T10:07:00Z"), at("2026-10-01T10:15:00Z")},
                                  {origin::quarters, at("2026-10-01T10:15:00Z"), at("2026-10-01T10:30:00Z")},
                                  {origin::events, at("2026-10-01T10:30:00Z"), at("2026-10-01T10:31:00Z")}});
  CHECK(split_range(at("2026-10-01T10:07:00Z"), at("2026-10-01T10:08:00Z"), granularity::minute, now).size() == 1);
}

TEST_CASE("rollups answer one dimension, and only what adds up", "[query][f:7.6]") {
  CHECK(rollups_answer(good({})));
  CHECK(rollups_answer(good({{"group_by", "country"}})));
  CHECK(rollups_answer(good({{"country", "FR"}})));
  CHECK(rollups_answer(good({{"country", "FR"}, {"group_by", "country"}})));
  CHECK_FALSE(rollups_answer(good({{"country", "FR"}, {"group_by", "store"}})));
  CHECK_FALSE(rollups_answer(good({{"country", "FR"}, {"store", "a"}})));
  CHECK_FALSE(rollups_answer(good({{"mode", "test"}})));
  CHECK_FALSE(rollups_answer(good({}, metric::sessions)));
}

TEST_CASE("money adds up in the tenant's currency alone, and the rest is named", "[query][f:7.1]") {
  const auto t = at("2026-11-24T10:00:00Z");
  const answer_frame frame{good({{"group_by", "country"}}, metric::revenue), {t, time_ms{t.value + hour_ms}}, "EUR"};
  const std::vector<sums_row> whole = {row({}, t, "EUR", 3, 1000), row({}, t, "USD", 1, 555), row({}, t, "", 1, 0)};
  const auto out = answer_sums(frame, whole, {row("FR", t, "EUR", 2, 700), row("US", t, "USD", 1, 555)}).value();
  CHECK(out.unit == "EUR");
  CHECK(out.total == value("10.00"));
  REQUIRE(out.series.size() == 3);
  CHECK(out.series[0].group == "FR");
  CHECK(out.series[0].points == std::vector<value>{"7.00", "0.00"});
  CHECK(out.series[1].points == std::vector<value>{"0.00", "0.00"});
  // What has no country is told without one.
  CHECK_FALSE(out.series[2].group.has_value());
  CHECK(out.series[2].points == std::vector<value>{"3.00", "0.00"});
  CHECK(out.other_currencies == std::vector<money>{{555, *parse_currency("USD")}});
}

TEST_CASE("a mean order is rounded half-up, by product from the lines", "[query][f:7.1]") {
  const auto t = at("2026-11-24T10:00:00Z");
  const answer_frame plain{good({}, metric::aov), {t}, "EUR"};
  CHECK(answer_sums(plain, {row({}, t, "EUR", 2, 1001)}, {}).value().total == value("5.01"));
  CHECK(answer_sums(plain, {}, {}).value().total == value("0.00"));
  const answer_frame by_product{good({{"group_by", "product"}}, metric::revenue), {t}, "JPY"};
  auto line = row("p", t, "JPY", 1, 0);
  line.sums.line_micro = 10'500'000;
  CHECK(answer_sums(by_product, {row({}, t, "JPY", 1, 99)}, {line}).value().total == value("11"));
}

TEST_CASE("more points than an answer holds are refused with what to do", "[query][f:7.1]") {
  answer_frame frame{good({{"group_by", "product"}}), {}, "EUR"};
  frame.buckets.resize(1000);
  std::vector<sums_row> grouped;
  for (int i = 0; i < 51; ++i)
    grouped.push_back(row(std::to_string(i), {}, "EUR", 1, 0));
  const auto out = answer_sums(frame, {}, grouped);
  REQUIRE_FALSE(out.ok());
  CHECK(out.err().code == ec::invalid);
  CHECK(out.err().detail.find("shorter range") != std::string::npos);
}
