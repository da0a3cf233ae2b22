// Benchmark: what one event costs in the tenant's scorer, with a model, on an imagined shop; and the images.
#include <ctime>

#include <fmt/format.h>

#include "models/detection/random.hpp"
#include "models/risk/pooled.hpp"

using namespace pulse;

namespace {

std::vector<event> shop(std::size_t n) {
  detection::random_stream random(1, 0);
  std::vector<event> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    auto& e = out[i];
    e.type = "track";
    e.name = random.uniform() < 0.3 ? "Order Completed" : "Product Viewed";
    e.message_id = "message-" + std::to_string(i);
    e.customer = "customer-" + std::to_string(random.below(20'000));
    e.occurred_at = e.received_at = time_ms{1'700'000'000'000 + static_cast<std::int64_t>(i) * 500};
    if (e.name == "Order Completed")
      e.amount = money{static_cast<std::int64_t>(500 + random.below(10'000)), *parse_currency("EUR")};
    e.ip = "10.1." + std::to_string(random.below(250)) + "." + std::to_string(random.below(50));
    e.country = "DE";
    e.device = "mobile";
  }
  return out;
}

double seconds_of(const auto& body) {
  // CPU time: the machine is shared.
  const auto start = std::clock();
  body();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

} // namespace

int main() {
  auto events = shop(300'000);
  std::vector<features::row> rows;
  scoring::tenant_scorer history;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i > 100'000 && i % 10 == 0)
      rows.push_back(history.feature_row(events[i]));
    history.replay(events[i], log_offset{static_cast<std::int64_t>(i)});
  }
  const auto model = std::make_shared<const detection::model>(scoring::fit_on_features(rows, {}).value());
  for (const bool with_model : {false, true}) {
    scoring::tenant_scorer scorer;
    (void)scorer.set_model(with_model ? model : nullptr, false);
    std::size_t explained = 0;
    const auto seconds = seconds_of([&] {
      for (std::size_t i = 0; i < events.size(); ++i) {
        const log_offset at{static_cast<std::int64_t>(i)};
        scorer.seen_before(events[i], at);
        scorer.score(events[i], at);
        explained += events[i].risk.parts.size() > 1;
      }
    });
    fmt::print("scorer.{} {:.2f} us/event, {:.1f} % with reasons\n", with_model ? "with_model" : "features_only",
               1e6 * seconds / static_cast<double>(events.size()),
               100 * static_cast<double>(explained) / static_cast<double>(events.size()));
    std::size_t bytes = 0;
    const auto imaging = seconds_of([&] {
      for (const auto& image : scorer.take_dirty_images(log_offset{static_cast<std::int64_t>(events.size())}))
        bytes += image.bytes.size();
    });
    fmt::print("scorer.images {} bytes in {:.1f} ms\n", bytes, 1e3 * imaging);
  }
}
