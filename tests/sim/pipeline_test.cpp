// The whole way of an event behind the log, with the real enrichment and scoring: the same log gives the same scores
// bit for bit, however batches are cut, children killed, owners changed and commits lost. Control records included.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include <fmt/format.h>

#include "models/event/raw_codec.hpp"
#include "models/event/request_parser.hpp"
#include "models/risk/pooled.hpp"
#include "models/rules/lists.hpp"
#include "models/rules/rule_set.hpp"
#include "models/slot/shared_data.hpp"
#include "models/slot/stages.hpp"
#include "tests/support/slot_world.hpp"

using namespace pulse;

namespace {

/// Randomness from a seed, for the ids of events that bring none.
class seeded_random final : public random_source {
public:
  explicit seeded_random(std::uint64_t seed) : engine_(seed) {
  }

  void fill(std::span<std::uint8_t> bytes) override {
    for (auto& b : bytes)
      b = static_cast<std::uint8_t>(engine_());
  }

private:
  std::mt19937_64 engine_;
};

constexpr std::int64_t start_ms = 1'790'000'000'000;

struct history {
  std::vector<slot::item> raw;
  std::vector<slot::artifact> artifacts;
};

std::string order_json(std::mt19937_64& random, int i, std::int64_t at) {
  const auto amount = random() % 50 == 0 ? 90'000 + random() % 1000 : 5 + random() % 200;
  return fmt::format(
      R"({{"type":"track","event":"Order Completed","userId":"c{}","messageId":"m{}","timestamp":"{}",)"
      R"("properties":{{"order_id":"o{}","revenue":{}.5,"currency":"EUR","branch":"north","card_fingerprint":"k{}","coupon":"{}",)"
      R"("payment_status":"{}"}},"context":{{"device":{{"id":"d{}"}},"location":{{"country":"{}"}}}}}})",
      random() % 12, random() % 20 == 0 ? i - 1 : i, format_time(time_ms{at}), i, amount, i * 7 % 9,
      i % 5 == 0 ? "SPRING" : "", i % 6 == 0 ? "declined" : "paid", i * 5 % 7, random() % 30 == 0 ? "BR" : "DE");
}

void push(history& h, tenant_id tenant, const raw_event& raw, bool control) {
  const auto offset = log_offset{static_cast<std::int64_t>(h.raw.size())};
  h.raw.push_back({offset, tenant, std::make_shared<const std::string>(encode(raw)), control});
}

/// A version that is published between events, as a control record.
template <class Compiled>
void push_version(history& h, tenant_id tenant, seeded_random& random, const std::string& kind,
                  const std::string& document, std::int64_t version) {
  const auto compiled = Compiled::compile(document);
  REQUIRE(compiled.ok());
  h.artifacts.push_back({kind, (*compiled)->id(), std::make_shared<const std::string>((*compiled)->canonical())});
  raw_event raw;
  raw.kind = raw_kind::control;
  raw.received_at = raw.occurred_at = time_ms{start_ms};
  raw.body = slot::encode_control({random.next_uuid(), kind, (*compiled)->id(), version});
  push(h, tenant, raw, true);
}

/// Rules that ask for windows of both kinds; later others, which share one window and drop the rest.
void push_rules(history& h, tenant_id tenant, seeded_random& random, std::int64_t version) {
  static const std::string first = R"j({"rules":[{"name":"fast","when":"velocity(customer, 1h) > 2","points":10},
    {"name":"much","when":"sum(customer, 7d, orders) > 500 and customer not in list(vip)","points":5,"outcome":"review"},
    {"name":"try","when":"distinct(customer, email_domain, 24h) > 0","state":"shadow","points":50}]})j";
  static const std::string second = R"j({"rules":[{"name":"fast","when":"velocity(customer, 2h) > 1","points":20}]})j";
  push_version<rules::rule_set>(h, tenant, random, "rules", version == 1 ? first : second, version);
}

/// Labels of two payments, one of them taken back; sent twice, as a record whose effect is not known is.
void push_labels(history& h, tenant_id tenant, seeded_random& random, int i) {
  event e;
  e.customer = fmt::format("c{}", i % 12);
  e.payment.card = fmt::format("k{}", i % 9);
  labels::batch batch{random.next_uuid(), {}};
  for (const bool fraud : {true, true, false}) {
    batch.changes.push_back({event_id{random.next_uuid()}, {}, fraud, {}});
    for (const auto& k : features::linked_keys(e))
      if (k)
        batch.changes.back().entities.push_back(*k);
  }
  batch.changes.back().was = true;
  const auto hash = batch.id.str();
  h.artifacts.push_back({"labels", hash, std::make_shared<const std::string>(labels::encode(batch))});
  raw_event raw;
  raw.kind = raw_kind::control;
  raw.received_at = raw.occurred_at = time_ms{start_ms};
  raw.body = slot::encode_control({random.next_uuid(), "labels", hash, 1});
  push(h, tenant, raw, true);
  push(h, tenant, raw, true);
}

/// A mapping that is published in the middle, as a control record.
void push_mapping(history& h, tenant_id tenant, seeded_random& random) {
  const std::string document = R"({"rules":[{"op":"rename","from":"/properties/branch","to":"/store"}]})";
  const auto mapping = *compiled_mapping::compile(document);
  h.artifacts.push_back({"mapping", mapping->id(), std::make_shared<const std::string>(mapping->canonical())});
  raw_event raw;
  raw.kind = raw_kind::control;
  raw.received_at = raw.occurred_at = time_ms{start_ms};
  raw.body = slot::encode_control({random.next_uuid(), "mapping", mapping->id()});
  push(h, tenant, raw, true);
}

history make_history(std::uint64_t seed, int n) {
  std::mt19937_64 random(seed);
  seeded_random ids(seed);
  history h;
  for (int i = 0; i < n; ++i) {
    const auto tenant = tenant_id{static_cast<std::int32_t>(random() % 3) + 1};
    // Up to two hours late, so that windows are asked under disorder.
    const auto at = start_ms + i * 60'000 - static_cast<std::int64_t>(random() % 7'200'000);
    auto body = order_json(random, i, at);
    request_context context;
    context.tenant = tenant;
    context.received_at = time_ms{start_ms + i * 60'000};
    context.horizon = time_ms{start_ms - 365 * day_ms};
    context.random = &ids;
    const auto parsed = parse_request(body, request_shape::events, context);
    REQUIRE(parsed.ok());
    push(h, tenant, parsed->events.front().raw, false);
    if (i == n / 2)
      push_mapping(h, tenant_id{1}, ids);
    if (i == n / 4 || i == 3 * n / 4)
      push_rules(h, tenant_id{2}, ids, i == n / 4 ? 1 : 2);
    if (i % 17 == 16)
      push_labels(h, tenant_id{3}, ids, i);
    if (i == n / 3)
      push_version<rules::compiled_lists>(h, tenant_id{2}, ids, "lists", R"({"lists":{"vip":["c1","c2"]}})", 1);
  }
  return h;
}

class real_child final : public test::child {
public:
  real_child(tenant_id tenant, const std::map<std::int32_t, slot::chunk_image>& images, const history& from,
             const std::shared_ptr<const slot::shared_data>& shared) :
    artifacts_(from.artifacts),
    start_(make_start(tenant, images)),
    enrichment_(start_, shared),
    scoring_(start_, shared) {
  }

  slot::part_result work(const slot::part& p) override {
    auto copy = p;
    copy.artifacts = artifacts_;
    return scoring_.work(enrichment_.work(std::move(copy)));
  }

private:
  slot::stage_start make_start(tenant_id tenant, const std::map<std::int32_t, slot::chunk_image>& images) {
    slot::stage_start out;
    out.tenant = tenant;
    out.artifacts = artifacts_;
    for (const auto& [chunk, image] : images) {
      if (chunk == slot::control_chunk)
        out.settings = *slot::decode_in_force(image.bytes);
      else
        out.images.push_back(image);
    }
    return out;
  }

  std::vector<slot::artifact> artifacts_;
  slot::stage_start start_;
  slot::enrichment_stage enrichment_;
  slot::scoring_stage scoring_;
};

std::shared_ptr<const slot::shared_data> shared_data() {
  static const auto data = [] {
    std::vector<event> sample;
    std::mt19937_64 random(5);
    for (int i = 0; i < 400; ++i) {
      event e;
      e.tenant = tenant_id{1};
      e.name = "Order Completed";
      e.customer = fmt::format("c{}", random() % 12);
      e.occurred_at = e.received_at = time_ms{start_ms + i * 60'000};
      e.amount = money{static_cast<std::int64_t>(500 + random() % 20'000), *parse_currency("EUR")};
      sample.push_back(std::move(e));
    }
    auto model = scoring::fit_pooled(sample, {.n_estimators = 20, .random_state = 1});
    REQUIRE(model.ok());
    return std::make_shared<const slot::shared_data>(enrichment_data{},
                                                     std::make_shared<const detection::model>(std::move(*model)));
  }();
  return data;
}

std::string told(const slot::processed& p) {
  std::string out = fmt::format("{} {} {} {} {} {}", static_cast<int>(p.outcome), p.event.duplicate, p.event.store,
                                p.event.country, p.event.risk.score, p.event.risk.anomaly.value_or(-1));
  for (const auto& part : p.event.risk.parts)
    out += fmt::format(" {}={}:{}", part.name, part.points, part.detail);
  for (auto f : p.features)
    out += fmt::format(" {}", f);
  return out;
}

std::vector<std::string> run(std::uint64_t seed, const history& h, test::world_faults faults, bool& right) {
  slot::machine_config config;
  config.image_events = 30;
  config.idle_ms = 300;
  config.tenants_awake_max = 2;
  const test::child_maker maker{[&h](tenant_id tenant, const auto& images) {
    return std::make_unique<real_child>(tenant, images, h, shared_data());
  }};
  test::slot_world world(seed, h.raw, maker, faults, config);
  right = world.run() && world.violations().empty() && world.store().effects.size() == h.raw.size();
  std::vector<std::string> out;
  for (const auto& [offset, effects] : world.store().effects) {
    right = right && effects.size() == 1;
    out.push_back(told(effects.front()));
  }
  return out;
}

} // namespace

TEST_CASE("the same log gives the same scores, whatever crashed or moved", "[sim][f:4.7][f:11.3]") {
  const test::world_faults faults{.child_killed = 0.03,
                                  .load_fails = 0.05,
                                  .commit_fails = 0.05,
                                  .answer_of_commit_lost = 0.05,
                                  .owner_changes = 0.003,
                                  .as_of_lags = true};
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    INFO("seed " << seed);
    const auto h = make_history(seed, 240);
    bool quiet_right = false;
    bool noisy_right = false;
    const auto quiet = run(seed, h, {}, quiet_right);
    const auto noisy = run(seed + 1000, h, faults, noisy_right);
    REQUIRE(quiet_right);
    REQUIRE(noisy_right);
    REQUIRE(noisy == quiet);
  }
}

TEST_CASE("a mapping takes effect at its offset and is in force after a reload", "[sim][f:3.1]") {
  const auto h = make_history(3, 240);
  bool right = false;
  test::world_faults killed;
  killed.child_killed = 0.2;
  const auto out = run(9, h, killed, right);
  REQUIRE(right);
  const auto control = std::find_if(h.raw.begin(), h.raw.end(),
                                    [](const slot::item& it) { return it.control && it.tenant == tenant_id{1}; });
  const auto published = static_cast<std::size_t>(control - h.raw.begin());
  for (std::size_t i = 0; i < h.raw.size(); ++i) {
    if (h.raw[i].tenant != tenant_id{1} || h.raw[i].control)
      continue;
    INFO(i << ": " << out[i]);
    const bool mapped = out[i].find("north") != std::string::npos;
    CHECK(mapped == (i > published));
  }
}

TEST_CASE("rules and lists take effect at their offset and are in force after a reload", "[sim][f:4.3][f:4.8]") {
  const auto h = make_history(4, 240);
  bool right = false;
  test::world_faults killed;
  killed.child_killed = 0.2;
  const auto out = run(9, h, killed, right);
  REQUIRE(right);
  // What each version of the rules leaves beside the score: the values its windows had.
  std::vector<std::size_t> published;
  for (std::size_t i = 0; i < h.raw.size(); ++i)
    if (h.raw[i].control && h.raw[i].tenant == tenant_id{2})
      published.push_back(i);
  REQUIRE(published.size() == 3);
  std::size_t hits = 0;
  for (std::size_t i = 0; i < h.raw.size(); ++i) {
    if (h.raw[i].control)
      continue;
    INFO(i << ": " << out[i]);
    const bool ours = h.raw[i].tenant == tenant_id{2};
    CHECK((out[i].find("=0:[") != std::string::npos) == (ours && i > published[0]));
    hits += out[i].find("fast=20:velocity(customer, 2h)") != std::string::npos ? 1 : 0;
    CHECK((out[i].find("much=") == std::string::npos || (i > published[0] && i < published[2])));
  }
  CHECK(hits > 0);
}
