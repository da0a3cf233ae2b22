#include "tests/integration/support/query_world.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <set>

namespace pulse::test {

namespace {

using query::dimension;
using query::metric;

std::vector<std::string> values_of(const pulse::event& e, dimension d) {
  std::vector<std::string> out;
  switch (d) {
    case dimension::store: out = {e.store}; break;
    case dimension::campaign: out = {e.campaign}; break;
    case dimension::country: out = {e.country}; break;
    case dimension::device: out = {e.device}; break;
    case dimension::name: out = {e.name}; break;
    case dimension::product:
      for (const auto& line : e.products)
        out.push_back(line.product_id);
      return out;
  }
  std::erase(out, "");
  return out;
}

bool has(const pulse::event& e, dimension d, const std::string& value) {
  const auto all = values_of(e, d);
  return std::find(all.begin(), all.end(), value) != all.end();
}

std::string cents(std::int64_t minor) {
  return fmt::format("{}{}.{:02}", minor < 0 ? "-" : "", std::abs(minor) / 100, std::abs(minor) % 100);
}

} // namespace

query_world::query_world(std::uint64_t seed, int n) :
  time(parse_time("2026-04-01T12:00:00Z").value()),
  a(db.add_tenant("a")),
  b(db.add_tenant("b")),
  store({db.url(), "test"}, time),
  random_(seed),
  sink_({db.url(), "test-node", log_generation{1}, 20'000}, time) {
  db.sql("CALL pulse_make_partitions('2026-03-01', '2026-04-20')");
  REQUIRE(sink_.take_over(slot_id{0}).ok());
  std::vector<slot::processed> all;
  for (int i = 0; i < 2 * n; ++i) {
    const auto t = parse_time("2026-03-27T00:00:00Z")->value + static_cast<std::int64_t>(random_() % (5 * day_ms));
    all.push_back(make(i % 2 == 0 ? a : b, time_ms{t}));
  }
  add(std::move(all));
}

void query_world::add(std::vector<slot::processed> more) {
  slot::batch batch;
  batch.seq = 1;
  batch.from = log_offset{next_};
  for (auto& p : more)
    p.offset = log_offset{next_++};
  batch.to = log_offset{next_};
  batch.results = more;
  const auto done = sink_.commit(batch);
  if (!done)
    FAIL(done.err().detail);
  REQUIRE(done->stored == static_cast<std::int64_t>(more.size()));
  stored.insert(stored.end(), more.begin(), more.end());
}

slot::processed query_world::make(tenant_id tenant, time_ms occurred) {
  const auto one_of = [this](std::initializer_list<const char*> all) {
    return std::string(all.begin()[random_() % all.size()]);
  };
  slot::processed p;
  p.tenant = tenant;
  auto& e = p.event;
  e.tenant = tenant;
  e.message_id = fmt::format("m-{}", random_());
  e.type = "track";
  e.name = one_of({"Order Completed", "Order Refunded", "Product Viewed", "Page"});
  e.occurred_at = occurred;
  e.received_at = time_ms{occurred.value + static_cast<std::int64_t>(random_() % (40 * hour_ms))};
  // An id's time is within a day of the event's.
  const auto id_time = occurred.value + static_cast<std::int64_t>(random_() % (2 * day_ms)) - day_ms;
  e.id = event_id{system_random().next_uuid()};
  for (int i = 0; i < 6; ++i)
    e.id.value.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(id_time >> (40 - 8 * i) & 0xff);
  e.timed = true;
  e.test = random_() % 20 == 0;
  e.customer = one_of({"", "c1", "c2", "c3", "c4"});
  e.anonymous_id = one_of({"", "x1", "x2"});
  e.store = one_of({"", "web", "shop"});
  e.campaign = one_of({"", "", "spring"});
  e.country = one_of({"FR", "GB", ""});
  e.device = one_of({"mobile", "desktop"});
  if (e.name.starts_with("Order")) {
    const auto unit = parse_currency(random_() % 10 == 0 ? "USD" : "EUR").value();
    e.amount = money{static_cast<std::int64_t>(random_() % 100'000), unit};
    for (std::uint64_t i = random_() % 4; i > 0; --i)
      e.products.push_back({one_of({"p1", "p2", "p3"}), "", "",
                            decimal{static_cast<std::int64_t>(random_() % 9'999'999)},
                            decimal{static_cast<std::int64_t>(random_() % 5) * 500'000}});
  } else if (random_() % 2 == 0) {
    e.products.push_back({one_of({"p1", "p2"}), "", "", decimal{1'000'000}, decimal{1'000'000}});
  }
  e.risk.score = static_cast<double>(random_() % 100'000) / 1000.0;
  e.risk.level = "low";
  e.risk.outcome = "approve";
  return p;
}

bool query_world::passes(const pulse::event& e, const query::metric_question& q,
                         const std::optional<std::optional<std::string>>& group) const {
  for (std::size_t i = 0; i < query::dimension_count; ++i)
    if (q.filters[i] && !has(e, static_cast<dimension>(i), *q.filters[i]))
      return false;
  if (!group)
    return true;
  return *group ? has(e, *q.group_by, **group) : values_of(e, *q.group_by).empty();
}

query::value query_world::sessions(tenant_id tenant, const query::metric_question& q, time_ms from, time_ms to,
                                   const std::optional<std::optional<std::string>>& group) const {
  std::map<std::string, std::vector<const pulse::event*>> visitors;
  for (const auto& p : stored)
    if (const auto& e = p.event; p.tenant == tenant && e.test == q.test)
      if (!e.customer.empty() || !e.anonymous_id.empty())
        visitors[e.customer.empty() ? "x" + e.anonymous_id : "c" + e.customer].push_back(&e);
  std::int64_t all = 0;
  std::int64_t ordered = 0;
  for (auto& [who, events] : visitors) {
    std::sort(events.begin(), events.end(), [](auto* l, auto* r) { return l->occurred_at < r->occurred_at; });
    for (std::size_t i = 0; i < events.size();) {
      auto end = i + 1;
      while (end < events.size() &&
             events[end]->occurred_at.value - events[end - 1]->occurred_at.value < 30 * minute_ms)
        ++end;
      bool fits = false;
      bool named = false;
      bool order = false;
      for (auto k = i; k < end; ++k) {
        const bool nameless = group && !*group;
        fits |= passes(*events[k], q, nameless ? std::nullopt : group);
        named |= nameless && passes(*events[k], q, std::nullopt) && !values_of(*events[k], *q.group_by).empty();
        order |= events[k]->name == "Order Completed";
      }
      if (fits && !named && events[i]->occurred_at >= from && events[i]->occurred_at < to) {
        ++all;
        ordered += order ? 1 : 0;
      }
      i = end;
    }
  }
  if (q.metric == metric::sessions)
    return all;
  return all == 0 ? 0.0 : static_cast<double>(ordered) / static_cast<double>(all);
}

query::value query_world::recount(tenant_id tenant, const query::metric_question& q, time_ms from, time_ms to,
                                  const std::optional<std::optional<std::string>>& group) const {
  if (q.metric == metric::sessions || q.metric == metric::conversion)
    return sessions(tenant, q, from, to, group);
  std::int64_t events = 0, orders = 0, own_orders = 0, revenue = 0, refunds = 0, micro = 0, flagged = 0, risk = 0;
  std::set<std::string> customers;
  // Money by product is that of its lines.
  const auto product = q.group_by == dimension::product && group && *group ? *group : q.filter(dimension::product);
  const bool lines = q.group_by == dimension::product || product;
  for (const auto& p : stored) {
    const auto& e = p.event;
    if (p.tenant != tenant || e.test != q.test || e.occurred_at < from || e.occurred_at >= to || !passes(e, q, group))
      continue;
    const bool own = !e.amount || e.amount->unit.str() == "EUR";
    const bool order = e.name == "Order Completed";
    ++events;
    orders += order ? 1 : 0;
    own_orders += order && own ? 1 : 0;
    revenue += order && own ? e.amount->minor : 0;
    refunds += e.name == "Order Refunded" && own ? e.amount->minor : 0;
    if (order && own)
      for (const auto& l : e.products)
        if (!product || l.product_id == *product)
          micro += (l.price.micro * l.quantity.micro + 500'000) / 1'000'000;
    flagged += e.risk.score >= 90 ? 1 : 0;
    risk += std::lround(e.risk.score * 1000);
    if (!e.customer.empty())
      customers.insert(e.customer);
  }
  switch (q.metric) {
    case metric::events: return events;
    case metric::orders: return orders;
    case metric::anomalies: return flagged;
    case metric::customers: return static_cast<std::int64_t>(customers.size());
    case metric::refunds: return cents(refunds);
    case metric::revenue: return cents(lines ? (micro + 5'000) / 10'000 : revenue);
    case metric::aov:
      if (own_orders == 0)
        return "0.00";
      return cents(lines ? (2 * micro + own_orders * 10'000) / (2 * own_orders * 10'000)
                         : (2 * revenue + own_orders) / (2 * own_orders));
    default: return events == 0 ? 0.0 : static_cast<double>(risk) / 1000.0 / static_cast<double>(events);
  }
}

} // namespace pulse::test
