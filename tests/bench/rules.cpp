// What rules cost: a set with windows of every kind over a stream of orders, decided by the live code; the parser
// alone.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "models/detection/random.hpp"
#include "models/rules/backtest.hpp"

using namespace pulse;
using namespace pulse::rules;

namespace {

constexpr std::string_view document = R"({"rules":[
  {"name":"testing","when":"velocity(card, 1h, declined) > 3 or velocity(ip, 10m, declined) > 5","points":40,"outcome":"decline"},
  {"name":"fast","when":"velocity(customer, 24h) > 20","points":10},
  {"name":"much","when":"event == \"Order Completed\" and sum(customer, 7d, orders) > 5000","points":15},
  {"name":"cards","when":"distinct(card, device, 24h) > 3","points":25,"state":"shadow"},
  {"name":"people","when":"distinct(customer, address, 30d) > 4","points":25},
  {"name":"domain","when":"velocity(email_domain, 30d, declined) > 100","points":5},
  {"name":"abroad","when":"amount > 500 and billing_country != shipping_country and customer not in list(vip)",
                           "points" : 20
},
  {"name":"night","when":"hour < 5 and amount > 200 and new_device == 1","points":5},
  {"name":"coupon","when":"known(coupon) and amount / items < 1","points":5},
  {"name":"model","when":"model_score > 90 and properties.channel == \"app\"","points":-10}]
})";

event order(detection::random_stream& random, std::int64_t k) {
  event e;
  e.type = "track";
  e.name = random.uniform() < 0.9 ? "Order Completed" : "Payment Failed";
  e.message_id = "m" + std::to_string(k);
  e.customer = "c" + std::to_string(random.below(20'000));
  e.email = e.customer + "@d" + std::to_string(random.below(50)) + ".example";
  e.ip = "10.0." + std::to_string(random.below(200)) + "." + std::to_string(random.below(200));
  e.occurred_at = e.received_at = time_ms{1'700'000'000'000 + k * 100};
  e.amount = money{static_cast<std::int64_t>(100 + random.below(60'000)), *parse_currency("EUR")};
  e.products = {{"p", "", "", {1'000'000}, {2'000'000}}};
  const auto number = std::to_string(random.below(20'000));
  e.properties =
      R"({"order_id":"o","card_fingerprint":"k)" + number +
      R"(","channel":"app","coupon":"X","shipping_address":{"street":"1 Road )" + number +
      R"(","zip":"12345","country":"DE"},"billing_address":{"street":"1 Road","zip":"12345","country":"FR"}})";
  e.context = R"({"device":{"id":"d)" + number + R"("},"userAgent":"Mozilla/5.0 (X11; Linux x86_64)", "library" : {
    "name" : "analytics.js"
  }
})";
  return e;
}

double seconds_since(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

} // namespace

int main() {
  constexpr std::int64_t n = 200'000;
  detection::random_stream random(1, 0);
  std::vector<event> events;
  for (std::int64_t k = 0; k < n; ++k)
    events.push_back(order(random, k));

  auto from = std::chrono::steady_clock::now();
  constexpr int compiles = 2'000;
  for (int i = 0; i < compiles; ++i)
    if (!rule_set::compile(document))
      return 1;
  std::printf("rules_compile %.1f us\n", seconds_since(from) / compiles * 1e6);

  engine work({});
  work.set_rules(*rule_set::compile(document));
  std::vector<double> took;
  took.reserve(events.size());
  from = std::chrono::steady_clock::now();
  for (std::int64_t k = 0; k < n; ++k) {
    auto e = events[static_cast<std::size_t>(k)];
    const auto before = std::chrono::steady_clock::now();
    work.apply(e, {}, {}, log_offset{k});
    took.push_back(seconds_since(before));
  }
  std::sort(took.begin(), took.end());
  std::printf("rules_event_p50 %.1f us\n", took[took.size() / 2] * 1e6);
  std::printf("rules_event_p99 %.1f us\n", took[took.size() * 99 / 100] * 1e6);
  std::printf("windows_kept %zu windows\n", work.windows_kept());

  backtest::options o;
  o.rules = *rule_set::compile(document);
  auto test = backtest::make(std::move(o));
  from = std::chrono::steady_clock::now();
  for (const auto& e : events)
    test->add(e, std::nullopt);
  const auto rate = static_cast<double>(n) / seconds_since(from);
  std::printf("backtest %.0f events/s\n", rate);
  // A tenant's rate is 1,000 events a second unless its settings say otherwise; such a stream at full rate.
  std::printf("backtest_over_real_time %.0f x\n", rate / 1000);
}
