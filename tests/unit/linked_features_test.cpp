// Features of payments by what they have in common: equal to a brute-force oracle under disorder, labels included, and
// the same after images and replay.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "models/risk/tenant_scorer.hpp"

using namespace pulse;
using pulse::detection::random_stream;
using pulse::scoring::tenant_scorer;

namespace {

constexpr std::int64_t start = 1'700'000'000'000;

std::size_t index_of(const std::string& name) {
  const auto& all = features::names();
  return static_cast<std::size_t>(std::find(all.begin(), all.end(), name) - all.begin());
}

event payment_at(random_stream& random, int i) {
  event e;
  e.type = "track";
  const auto what = random.below(10);
  e.name = what == 0 ? "Order Refunded" : what == 1 ? "Payment Failed" : "order " + std::to_string(i);
  e.payment.declined = what == 1;
  e.customer = "c" + std::to_string(random.below(4));
  if (random.below(4) != 0)
    e.payment.card = "k" + std::to_string(random.below(5));
  if (random.below(5) != 0)
    e.payment.device = "d" + std::to_string(random.below(3));
  if (random.below(3) == 0)
    e.payment.coupon = "X";
  e.ip = "10.0.0." + std::to_string(random.below(2));
  e.email = "a@shop" + std::to_string(random.below(2)) + ".example";
  if (random.below(2) == 0)
    e.payment.address = "street" + std::to_string(random.below(2));
  const auto late = random.uniform() < 0.5 ? 0 : static_cast<std::int64_t>(random.below(30 * 3600)) * 1000;
  e.occurred_at = e.received_at = time_ms{start + i * 3'000'000ll - late};
  if (what != 1)
    e.amount = money{static_cast<std::int64_t>(random.below(100'000)), *parse_currency("EUR")};
  return e;
}

using text_of = std::string (*)(const event&);

std::string customer(const event& e) {
  return e.customer;
}
std::string card(const event& e) {
  return e.payment.card;
}
std::string device(const event& e) {
  return e.payment.device;
}
std::string ip(const event& e) {
  return e.ip;
}
std::string domain(const event& e) {
  return e.email.substr(2);
}
std::string address(const event& e) {
  return e.payment.address;
}

/// The definition without any cleverness, over all payments that came before in the log.
struct oracle {
  std::vector<event> seen;
  /// Frauds by entity, as `kind:text`; `tenant:` for all.
  std::map<std::string, int> frauds;

  /// Payments of the entity that were taken in: not more than 24 h behind the newest of them. Nothing when this one
  /// is too late itself.
  std::optional<std::vector<event>> of(const event& e, text_of by) const {
    std::vector<event> out;
    std::int64_t newest = INT64_MIN;
    for (const auto& s : seen)
      if (by(s) == by(e) && (newest == INT64_MIN || s.occurred_at.value >= newest - day_ms)) {
        newest = std::max(newest, s.occurred_at.value);
        out.push_back(s);
      }
    if (newest != INT64_MIN && e.occurred_at.value < newest - day_ms)
      return std::nullopt;
    return out;
  }

  static std::vector<event> within(const std::vector<event>& all, const event& e, std::int64_t width) {
    std::vector<event> out;
    for (const auto& s : all)
      if (s.occurred_at.value > e.occurred_at.value - width && s.occurred_at <= e.occurred_at)
        out.push_back(s);
    out.push_back(e);
    return out;
  }

  /// By the hour of event time, (h - 168, h].
  static std::vector<event> week(const std::vector<event>& all, const event& e) {
    std::vector<event> out;
    const auto h = e.occurred_at.value / hour_ms;
    for (const auto& s : all)
      if (const auto at = s.occurred_at.value / hour_ms; at > h - 168 && at <= h)
        out.push_back(s);
    out.push_back(e);
    return out;
  }

  static double different(const std::vector<event>& all, text_of what) {
    std::set<std::string> out;
    for (const auto& e : all)
      if (!what(e).empty())
        out.insert(what(e));
    return static_cast<double>(out.size());
  }

  double mature(const std::vector<event>& all, const event& e) const {
    return static_cast<double>(std::count_if(all.begin(), all.end(), [&](const event& s) {
      return s.occurred_at.value / hour_ms <= e.occurred_at.value / hour_ms - 168;
    }));
  }

  /// Nothing for what comes too late.
  std::optional<double> lift(const event& e, text_of by, const std::string& kind, double weight) const {
    const auto known = [&](const std::string& name) {
      const auto at = frauds.find(name);
      return at == frauds.end() ? 0.0 : at->second;
    };
    const auto all = of(e, [](const event&) { return std::string(); });
    const auto own = of(e, by);
    if (!all || !own)
      return std::nullopt;
    const auto rate = known("tenant:") / std::max({mature(*all, e), known("tenant:"), 1.0});
    const auto here = known(kind + ":" + by(e));
    return std::max(0.0, std::log((here + weight * rate) / (std::max(mature(*own, e), here) + weight) / rate));
  }
};

bool near(float feature, double expected) {
  return std::abs(feature - expected) <= 1e-6 * std::max(1.0, std::abs(expected));
}

struct check {
  const features::row& row;

  void operator()(const std::string& name, std::optional<double> expected) const {
    INFO(name);
    const auto x = row[index_of(name)];
    REQUIRE(expected.has_value() == !std::isnan(x));
    if (expected)
      CHECK(near(x, *expected));
  }
};

double signed_log(double x) {
  return std::copysign(std::log1p(std::abs(x)), x);
}

void check_windows(const oracle& o, const event& e, const features::row& row) {
  const check same{row};
  const auto counted = [&](text_of by, std::int64_t width) -> std::optional<double> {
    const auto all = by(e).empty() ? std::nullopt : o.of(e, by);
    return all ? std::optional(std::log1p(static_cast<double>(oracle::within(*all, e, width).size()))) : std::nullopt;
  };
  const auto distinct = [&](text_of by, text_of what, bool known) -> std::optional<double> {
    const auto all = by(e).empty() || (known && what(e).empty()) ? std::nullopt : o.of(e, by);
    return all ? std::optional(std::log1p(oracle::different(oracle::within(*all, e, day_ms), what))) : std::nullopt;
  };
  same("card_payments_1h", counted(card, hour_ms));
  same("card_payments_24h", counted(card, day_ms));
  same("device_payments_24h", counted(device, day_ms));
  same("domain_payments_1h", counted(domain, hour_ms));
  same("card_customers_24h", distinct(card, customer, false));
  same("device_cards_24h", distinct(device, card, true));
  same("device_customers_24h", distinct(device, customer, false));
  same("ip_cards_24h", distinct(ip, card, true));
  same("address_customers_24h", distinct(address, customer, false));
  same("customer_cards_24h", distinct(customer, card, true));
  same("customer_devices_24h", distinct(customer, device, true));
  std::optional<double> sum;
  if (const auto all = e.payment.card.empty() ? std::nullopt : o.of(e, card)) {
    double cents = 0;
    for (const auto& s : oracle::within(*all, e, day_ms))
      cents += s.amount ? static_cast<double>(s.amount->minor) : 0;
    sum = signed_log(cents / 100);
  }
  same("card_amount_24h", sum);
}

void check_weeks(const oracle& o, const event& e, const features::row& row) {
  const check same{row};
  const auto counted = [&](text_of by, auto counts) -> std::optional<double> {
    const auto all = by(e).empty() ? std::nullopt : o.of(e, by);
    if (!all)
      return std::nullopt;
    const auto week = oracle::week(*all, e);
    return std::log1p(static_cast<double>(std::count_if(week.begin(), week.end(), counts)));
  };
  same("customer_payments_7d", counted(customer, [](const event&) { return true; }));
  same("customer_refunds_7d", counted(customer, [](const event& s) { return s.name == "Order Refunded"; }));
  same("device_coupons_7d", counted(device, [](const event& s) { return !s.payment.coupon.empty(); }));
  std::optional<double> failed;
  for (auto by : {customer, card, device})
    if (const auto all = by(e).empty() ? std::nullopt : o.of(e, by)) {
      const auto hour = oracle::within(*all, e, hour_ms);
      const auto n = std::count_if(hour.begin(), hour.end(), [](const event& s) { return s.payment.declined; });
      failed = std::max(failed.value_or(0), std::log1p(static_cast<double>(n)));
    }
  same("failed_payments_1h", failed);
  // Days and hours of UTC began at 0; the times of the test lie after it.
  same("hour_of_day", static_cast<double>(e.occurred_at.value / hour_ms % 24));
}

void check_lifts(const oracle& o, const event& e, const features::row& row) {
  const check same{row};
  if (o.frauds.empty()) {
    same("fraud_lift", std::nullopt);
    return;
  }
  std::optional<double> highest;
  for (const auto& [by, kind] : {std::pair<text_of, std::string>{customer, "customer"},
                                 {card, "card"},
                                 {device, "device"},
                                 {ip, "ip"},
                                 {address, "address"}})
    if (const auto x = by(e).empty() ? std::nullopt : o.lift(e, by, kind, 5))
      highest = std::max(highest.value_or(0), *x);
  same("fraud_lift", highest);
  same("domain_fraud_lift", o.lift(e, domain, "domain", 50));
}

labels::batch label_of(oracle& o, const event& e, random_stream& random) {
  labels::batch out;
  for (auto& b : out.id.bytes)
    b = static_cast<std::uint8_t>(random.below(256));
  out.changes.push_back({event_id{out.id}, {}, true, {}});
  for (const auto& k : features::linked_keys(e))
    if (k)
      out.changes.back().entities.push_back(*k);
  ++o.frauds["tenant:"];
  for (const auto& [by, kind] : {std::pair<text_of, std::string>{customer, "customer"},
                                 {card, "card"},
                                 {device, "device"},
                                 {ip, "ip"},
                                 {domain, "domain"},
                                 {address, "address"}})
    if (!by(e).empty())
      ++o.frauds[kind + ":" + by(e)];
  return out;
}

} // namespace

TEST_CASE("features of payments equal a brute-force oracle when they come in disorder", "[features][f:4.8]") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    INFO("seed " << seed);
    random_stream random(seed, 0);
    tenant_scorer scorer;
    oracle o;
    // Nine days, so that weeks end and labels are of mature payments.
    for (int i = 0; i < 260; ++i) {
      INFO("payment " << i);
      auto e = payment_at(random, i);
      const auto row = scorer.score(e, log_offset{2 * i});
      check_windows(o, e, row);
      check_weeks(o, e, row);
      check_lifts(o, e, row);
      o.seen.push_back(e);
      if (random.below(12) == 0) {
        const auto batch = label_of(o, o.seen[random.below(static_cast<std::uint32_t>(o.seen.size()))], random);
        scorer.apply(batch, log_offset{2 * i + 1});
        // Sent again it changes nothing.
        scorer.apply(batch, log_offset{2 * i + 1});
      }
    }
  }
}

TEST_CASE("what is no payment sees and moves no payment's features", "[features][f:4.8]") {
  tenant_scorer scorer;
  random_stream random(3, 0);
  auto e = payment_at(random, 1);
  e.payment.card = "k";
  e.payment.declined = false;
  e.amount = money{100, *parse_currency("EUR")};
  scorer.score(e, log_offset{0});
  auto view = e;
  view.name = "Product Viewed";
  view.amount.reset();
  const auto seen = scorer.score(view, log_offset{1});
  for (auto j = index_of("card_payments_1h"); j < features::count; ++j)
    CHECK(std::isnan(seen[j]));
  const auto again = scorer.score(e, log_offset{2});
  CHECK(near(again[index_of("card_payments_1h")], std::log1p(2)));
}

TEST_CASE("a category that the customer never bought in is new", "[features]") {
  tenant_scorer scorer;
  random_stream random(3, 0);
  auto e = payment_at(random, 1);
  e.name = "Order Completed";
  e.amount = money{100, *parse_currency("EUR")};
  e.products.push_back({"p", "", "books", {}, {}});
  CHECK(std::isnan(scorer.score(e, log_offset{0})[index_of("new_category")]));
  CHECK(scorer.score(e, log_offset{1})[index_of("new_category")] == 0);
  e.products.front().category = "jewels";
  CHECK(scorer.score(e, log_offset{2})[index_of("new_category")] == 1);
}

TEST_CASE("an IP address abroad is told where both countries are known", "[features]") {
  tenant_scorer scorer;
  random_stream random(3, 0);
  auto e = payment_at(random, 1);
  e.amount = money{100, *parse_currency("EUR")};
  const auto abroad = index_of("ip_abroad");
  CHECK(std::isnan(scorer.feature_row(e)[abroad]));
  e.country = e.payment.ip_country = "DE";
  CHECK(scorer.feature_row(e)[abroad] == 0);
  e.payment.ip_country = "BR";
  CHECK(scorer.feature_row(e)[abroad] == 1);
}

TEST_CASE("many payments of one entity are bounded, and counts saturate", "[features][f:4.8]") {
  features::linked l;
  features::facts f;
  f.is_payment = true;
  for (int i = 0; i < 5'000; ++i) {
    f.at = time_ms{start + i * 60'000ll};
    l.update(f);
  }
  CHECK(l.size() <= features::linked_entries_max + 9 * 24);
  CHECK(l.last(day_ms, f.at).size() == features::linked_entries_max);
  CHECK(l.week(f.at).payments == 5'000);
  binary::writer out;
  l.write(out);
  binary::reader in(out.bytes());
  features::linked again;
  REQUIRE(again.read(in));
  binary::writer twice;
  again.write(twice);
  CHECK(out.bytes() == twice.bytes());
}

TEST_CASE("an image from before payments were linked is still read", "[risk][f:5.2]") {
  tenant_scorer scorer;
  random_stream random(3, 0);
  for (int i = 0; i < 20; ++i) {
    auto e = payment_at(random, i);
    scorer.score(e, log_offset{i});
  }
  for (const auto& image : scorer.take_dirty_images(log_offset{19})) {
    // As version 2 wrote it: without what stands at the end.
    auto payload = std::string(*binary::unseal("PULSECHK", 3, image.bytes));
    binary::reader in(payload);
    in.get<std::uint8_t>();
    in.get<std::int64_t>();
    scoring::chunk c;
    REQUIRE(c.read(in, 3));
    binary::writer tail;
    c.linked.write(tail);
    c.labels.write(tail);
    payload.resize(payload.size() - tail.bytes().size());
    tenant_scorer fresh;
    CHECK(fresh.load({image.chunk, image.as_of, binary::seal("PULSECHK", 2, payload)}).ok());
    CHECK_FALSE(fresh.load({image.chunk, image.as_of, binary::seal("PULSECHK", 1, payload)}).ok());
  }
}
