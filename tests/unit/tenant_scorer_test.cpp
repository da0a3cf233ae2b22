// The scorer of a tenant: parts add up, state is a fold, images and replay give the straight run bit for bit.
#include <cstring>
#include <map>
#include <optional>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "models/risk/pooled.hpp"
#include "models/risk/tenant_scorer.hpp"

using namespace pulse;
using namespace pulse::scoring;
using pulse::detection::random_stream;

namespace {

constexpr std::int64_t start = 1'700'000'000'000;

std::vector<event> stream(std::size_t n, std::uint64_t seed) {
  random_stream random(seed, 0);
  std::vector<event> out;
  for (std::size_t i = 0; i < n; ++i) {
    event e;
    e.type = "track";
    e.name = random.uniform() < 0.7 ? "Order Completed" : "Product Viewed";
    e.message_id =
        "m" + std::to_string(random.uniform() < 0.1 && i > 0 ? random.below(static_cast<std::uint32_t>(i)) : i);
    (random.uniform() < 0.8 ? e.customer : e.anonymous_id) = "c" + std::to_string(random.below(40));
    const auto late = random.uniform() < 0.3 ? random.below(26 * 3600) * 1000ll : 0;
    e.received_at = time_ms{start + static_cast<std::int64_t>(i) * 97'000};
    e.occurred_at = time_ms{e.received_at.value - late};
    if (e.name == "Order Completed")
      e.amount = money{static_cast<std::int64_t>(100 + random.below(20'000)), *parse_currency("EUR")};
    e.ip = "10.0.0." + std::to_string(random.below(9));
    e.country = random.uniform() < 0.9 ? "DE" : "BR";
    e.device = random.uniform() < 0.5 ? "mobile" : "desktop";
    e.test = random.uniform() < 0.03;
    e.payment.card = i % 3 == 0 ? "" : "card" + std::to_string(i * 7 % 31);
    e.payment.device = "device" + std::to_string(i * 5 % 17);
    e.payment.coupon = i % 11 == 0 ? "SPRING" : "";
    e.payment.declined = i % 13 == 0;
    e.email = "x@shop" + std::to_string(i % 4) + ".example";
    out.push_back(e);
  }
  return out;
}

std::shared_ptr<const detection::model> model_of(const std::vector<event>& events) {
  tenant_scorer scorer;
  std::vector<features::row> rows;
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto e = events[i];
    rows.push_back(scorer.score(e, log_offset{static_cast<std::int64_t>(i)}));
  }
  return std::make_shared<const detection::model>(fit_on_features(rows, {.n_estimators = 20}).value());
}

const std::shared_ptr<const detection::model>& shared_test_model() {
  static const auto out = model_of(stream(600, 77));
  return out;
}

tenant_scorer fresh(scorer_options options = {}, bool pooled = false) {
  tenant_scorer out(options);
  REQUIRE(out.set_model(shared_test_model(), pooled).ok());
  return out;
}

/// What must be the same whatever was cut: risk to the last bit, and whether it was a duplicate.
std::string outcome(tenant_scorer& scorer, event e, std::size_t i) {
  const log_offset at{static_cast<std::int64_t>(i)};
  scorer.seen_before(e, at);
  const auto row = scorer.score(e, at);
  binary::writer out;
  for (auto x : row)
    out.put(x);
  out.put(e.risk.score);
  out.put(*e.risk.anomaly);
  out.put(static_cast<std::uint8_t>(e.duplicate));
  return std::move(out).take();
}

void replay(tenant_scorer& scorer, event e, std::size_t i) {
  const log_offset at{static_cast<std::int64_t>(i)};
  scorer.seen_before(e, at);
  scorer.replay(e, at);
}

/// Keeps a failing test from printing the bytes.
bool same(const std::string& a, const std::string& b) {
  return a == b;
}

using stored_images = std::map<int, chunk_image>;

void store(stored_images& into, std::vector<chunk_image> images) {
  for (auto& image : images)
    into[image.chunk] = std::move(image);
}

/// A small tenant, so that limits are met all the time.
scorer_options tight() {
  scorer_options out;
  out.limits = {.profiles = 3,
                .addresses = 2,
                .populations = 2,
                .window_entries = 60,
                .linked = 4,
                .linked_entries = 30,
                .message_ids = 12};
  return out;
}

} // namespace

TEST_CASE("points of parts add up to the score exactly", "[risk][f:4.7]") {
  auto scorer = fresh();
  double highest = 0;
  const auto events = stream(400, 5);
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto e = events[i];
    if (i % 50 == 49)
      e.amount = money{90'000'000, *parse_currency("EUR")};
    scorer.score(e, log_offset{static_cast<std::int64_t>(i)});
    double sum = 0;
    for (const auto& p : e.risk.parts) {
      CHECK(p.points >= 0);
      CHECK_FALSE(p.detail.empty());
      sum += p.points;
    }
    CHECK(sum == e.risk.score);
    CHECK((e.risk.score >= 0 && e.risk.score < 100));
    CHECK(e.risk.model == shared_test_model()->id());
    CHECK_FALSE(e.risk.degraded);
    highest = std::max(highest, e.risk.score);
  }
  CHECK(highest >= 90);
}

TEST_CASE("a run gives what its events give one by one, wherever it is cut, by an own and by a shared model",
          "[risk]") {
  for (const bool shared : {false, true}) {
    auto one_by_one = fresh(tight(), shared), in_runs = fresh(tight(), shared), replayed = fresh(tight(), shared);
    auto events = stream(400, 21);
    random_stream cuts(22, shared);
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < events.size(); ++i)
      expected.push_back(outcome(one_by_one, events[i], i));
    for (std::size_t first = 0; first < events.size();) {
      const auto n = std::min<std::size_t>(1 + cuts.below(40), events.size() - first);
      std::vector<tenant_scorer::scored_event> run;
      for (auto i = first; i < first + n; ++i) {
        in_runs.seen_before(events[i], log_offset{static_cast<std::int64_t>(i)});
        replayed.seen_before(events[i], log_offset{static_cast<std::int64_t>(i)});
        run.push_back({&events[i], log_offset{static_cast<std::int64_t>(i)}});
      }
      in_runs.score(run);
      replayed.replay(run);
      for (std::size_t k = 0; k < n; ++k) {
        const auto& e = events[first + k];
        binary::writer got;
        for (auto x : run[k].row)
          got.put(x);
        got.put(e.risk.score);
        got.put(*e.risk.anomaly);
        got.put(static_cast<std::uint8_t>(e.duplicate));
        CHECK(same(got.bytes(), expected[first + k]));
      }
      first += n;
    }
    const log_offset last{static_cast<std::int64_t>(events.size()) - 1};
    const auto a = one_by_one.take_dirty_images(last), b = in_runs.take_dirty_images(last),
               c = replayed.take_dirty_images(last);
    REQUIRE((a.size() == b.size() && a.size() == c.size()));
    for (std::size_t i = 0; i < a.size(); ++i)
      CHECK((same(a[i].bytes, b[i].bytes) && same(a[i].bytes, c[i].bytes)));
  }
}

TEST_CASE("an old risk is recomputed from the stored features bit for bit", "[risk][f:4.7]") {
  auto scorer = fresh();
  const auto events = stream(200, 6);
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto e = events[i];
    const auto row = scorer.score(e, log_offset{static_cast<std::int64_t>(i)});
    const auto loaded = detection::model::load(shared_test_model()->save()).value();
    if (i % 40 != 0)
      continue;
    const auto placed = place(std::make_shared<const detection::model>(loaded)).value();
    const auto again = assess(row, placed, score_rows({&row, 1}, placed).front(), nullptr, {});
    CHECK(again.score == e.risk.score);
    CHECK(again.anomaly == e.risk.anomaly);
    CHECK(again.parts == e.risk.parts);
    CHECK(again.level == e.risk.level);
    CHECK(again.outcome == e.risk.outcome);
  }
}

TEST_CASE("without a model an event is degraded and passes", "[risk][f:4.6]") {
  tenant_scorer scorer;
  auto e = stream(1, 1)[0];
  scorer.score(e, log_offset{0});
  CHECK(e.risk.degraded);
  CHECK(e.risk.score == 0);
  CHECK(e.risk.outcome == "approve");
  CHECK(e.risk.level == "low");
  CHECK(e.risk.model.empty());
  CHECK_FALSE(e.risk.anomaly.has_value());
  REQUIRE(e.risk.parts.size() == 1);
  CHECK(e.risk.parts[0].detail.find("no model") != std::string::npos);
}

TEST_CASE("a pooled model says so, a foreign one is refused", "[risk][f:5.1]") {
  tenant_scorer scorer;
  REQUIRE(scorer.set_model(shared_test_model(), true).ok());
  auto e = stream(1, 1)[0];
  scorer.score(e, log_offset{0});
  CHECK(e.risk.parts.back().detail == "shared model: fewer than 500 events");
  CHECK(e.risk.parts.back().points == 0);
  const std::vector<double> two{1, 2};
  const auto foreign = std::make_shared<const detection::model>(detection::fit({two, 2, 1}, {"x"}).value());
  CHECK(scorer.set_model(foreign, false).err().code == ec::invalid);
}

TEST_CASE("a shop unlike the shared model's is not flagged for being itself, its odd event is", "[risk][f:5.1]") {
  auto scorer = fresh({}, true);
  random_stream random(21, 0);
  int flagged = 0;
  // Forty events an hour and customer, from one address: the shared model has seen nothing like it.
  constexpr int n = 450;
  for (int i = 0; i < n; ++i) {
    event e;
    e.type = "track";
    e.name = "Order Completed";
    e.message_id = "b" + std::to_string(i);
    e.customer = "c" + std::to_string(random.below(5));
    e.received_at = e.occurred_at = time_ms{start + i * 18'000ll};
    e.amount = money{static_cast<std::int64_t>(50'000 + random.below(30'000)), *parse_currency("EUR")};
    e.ip = "10.9.9.9";
    e.country = "FR";
    scorer.score(e, log_offset{i});
    flagged += e.risk.score >= 75;
    if (i == n - 1) {
      auto odd = e;
      odd.message_id = "odd";
      odd.amount = money{900'000'000, *parse_currency("EUR")};
      odd.country = "BR";
      odd.ip = "10.7.7.7";
      scorer.score(odd, log_offset{n});
      CHECK(odd.risk.score >= 75);
    }
  }
  CHECK(flagged <= n / 50);
}

TEST_CASE("the tenant's own share counts with its number, and is never below the model's", "[risk][f:5.1]") {
  recent_scores scores;
  CHECK(scores.tail("m", 0.9, 0.001) == 0.001);
  for (int i = 0; i < 80; ++i)
    scores.add("m", i % 2 == 0 ? 0.9 : 0.1);
  // Half of them are 0.8 lower, two standard deviations (of all but the five highest): of the other half a half is at
  // least 0.9.
  CHECK(std::abs(scores.tail("m", 0.9, 0.001) - (20 + 20 * 0.001) / 100) < 1e-6);
  CHECK(std::abs(scores.tail("m", 0.1, 0.001) - (60 + 20 * 0.001) / 100) < 1e-6);
  CHECK(scores.tail("m", 1.31, 0.001) == 0.001);
  CHECK(scores.tail("another", 0.9, 0.001) == 0.001);
  binary::writer a;
  for (int i = 0; i < 600; ++i)
    scores.add("m", i / 1000.0);
  scores.write(a);
  recent_scores again;
  binary::reader in(a.bytes());
  REQUIRE(again.read(in));
  binary::writer b;
  again.write(b);
  CHECK(a.bytes() == b.bytes());
  again.add("m", 0.5);
  scores.add("m", 0.5);
  CHECK(again.tail("m", 0.3, 0.001) == scores.tail("m", 0.3, 0.001));
}

TEST_CASE("some odd events in a row are each found, many at once are what the shop is like", "[risk][f:5.1]") {
  recent_scores scores;
  for (int i = 0; i < 60; ++i)
    scores.add("m", 0.30 + 0.001 * (i % 10));
  for (int i = 0; i < 5; ++i) {
    CHECK(scores.tail("m", 0.8, 0.001) == 0.001);
    scores.add("m", 0.8);
  }
  for (int i = 0; i < 20; ++i)
    scores.add("m", 0.8);
  CHECK(scores.tail("m", 0.8, 0.001) > 0.05);
}

TEST_CASE("the score follows the share of events that are as unusual", "[risk]") {
  CHECK(score_of_tail(1) == 0);
  CHECK(score_of_tail(0.1) == 25);
  CHECK(score_of_tail(0.001) == 90);
  CHECK(score_of_tail(0.0001) == 95.5);
  CHECK(score_of_tail(0) < 100);
}

TEST_CASE("images and replay give the straight run, wherever it is cut", "[risk][f:4.8]") {
  for (const auto& options : {scorer_options{}, tight()})
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      INFO("seed " << seed);
      const auto events = stream(260, seed);
      const bool pooled = seed % 2 == 0;
      auto straight = fresh(options, pooled);
      random_stream random(seed, 9);
      stored_images images;
      std::optional<std::size_t> imaged;
      const auto crash_at = 100 + random.below(150);
      std::vector<std::string> expected;
      for (std::size_t i = 0; i < events.size(); ++i) {
        expected.push_back(outcome(straight, events[i], i));
        // Images at chance cuts, often so close that most chunks have not changed.
        if (i < crash_at && random.uniform() < 0.06) {
          store(images, straight.take_dirty_images(log_offset{static_cast<std::int64_t>(i)}));
          imaged = i;
        }
      }
      auto again = fresh(options, pooled);
      auto oldest = log_offset{-1};
      if (imaged) {
        oldest = log_offset{static_cast<std::int64_t>(*imaged)};
        for (const auto& [number, image] : images) {
          REQUIRE(again.load(image).ok());
          oldest = std::min(oldest, image.as_of);
        }
      }
      // The position lies anywhere from the images on; replay begins at the oldest image's offset, or even before.
      auto i = oldest.value < 0 ? 0 : static_cast<std::size_t>(oldest.value) * random.below(2);
      const auto position = std::max(imaged.value_or(0), i) + 1;
      for (; i < std::max<std::size_t>(position, crash_at); ++i)
        replay(again, events[i], i);
      for (; i < events.size(); ++i)
        REQUIRE(same(outcome(again, events[i], i), expected[i]));
      const log_offset end{static_cast<std::int64_t>(events.size() - 1)};
      store(images, again.take_dirty_images(end));
      stored_images all;
      auto whole = fresh(options, pooled);
      for (std::size_t k = 0; k < events.size(); ++k)
        replay(whole, events[k], k);
      store(all, whole.take_dirty_images(end));
      REQUIRE(all.size() == images.size());
      for (const auto& [number, image] : all)
        if (images.at(number).as_of == end)
          REQUIRE(same(images.at(number).bytes, image.bytes));
    }
}

TEST_CASE("what an image holds is not folded again", "[risk][f:4.8]") {
  const auto events = stream(50, 3);
  auto a = fresh();
  for (std::size_t i = 0; i < events.size(); ++i)
    replay(a, events[i], i);
  auto b = fresh();
  for (const auto& image : a.take_dirty_images(log_offset{49}))
    REQUIRE(b.load(image).ok());
  CHECK(b.folded_to() == log_offset{49});
  for (std::size_t i = 0; i < events.size(); ++i)
    replay(b, events[i], i);
  // Without the guard every count would have doubled and every chunk be dirty.
  CHECK(b.take_dirty_images(log_offset{49}).empty());
  const auto one = a.feature_row(events[0]), other = b.feature_row(events[0]);
  CHECK(std::memcmp(one.data(), other.data(), sizeof one) == 0);
}

TEST_CASE("test events and duplicates move nothing", "[risk]") {
  auto scorer = fresh();
  auto e = stream(1, 4)[0];
  e.test = true;
  CHECK_FALSE(scorer.seen_before(e, log_offset{0}));
  scorer.score(e, log_offset{0});
  CHECK(scorer.take_dirty_images(log_offset{0}).empty());
  e.test = false;
  CHECK_FALSE(scorer.seen_before(e, log_offset{1}));
  scorer.score(e, log_offset{1});
  CHECK_FALSE(scorer.take_dirty_images(log_offset{1}).empty());
  CHECK(scorer.seen_before(e, log_offset{2}));
  scorer.score(e, log_offset{2});
  CHECK(scorer.take_dirty_images(log_offset{2}).empty());
}

TEST_CASE("the window of message ids holds 24 hours of receipt and knows an event again by its offset", "[risk]") {
  tenant_scorer scorer;
  event e;
  e.message_id = "m";
  e.received_at = time_ms{start};
  CHECK_FALSE(scorer.seen_before(e, log_offset{5}));
  CHECK_FALSE(scorer.seen_before(e, log_offset{5}));
  e.received_at.value += day_ms;
  CHECK(scorer.seen_before(e, log_offset{6}));
  e.received_at.value += 1;
  CHECK_FALSE(scorer.seen_before(e, log_offset{7}));
  CHECK(scorer.seen_before(e, log_offset{8}));
  e.message_id.clear();
  CHECK_FALSE(scorer.seen_before(e, log_offset{9}));
}

TEST_CASE("the window of message ids holds the last 100,000", "[risk]") {
  tenant_scorer scorer;
  event e;
  e.received_at = time_ms{start};
  const auto id = [](int i) {
    return "message-" + std::to_string(i);
  };
  for (int i = 0; i < 200'000; ++i) {
    e.message_id = id(i);
    scorer.seen_before(e, log_offset{i});
  }
  int known = 0;
  for (int i = 100'000; i < 200'000; i += 10) {
    e.message_id = id(i);
    known += scorer.seen_before(e, log_offset{300'000});
  }
  CHECK(known == 10'000);
  e.message_id = id(0);
  CHECK_FALSE(scorer.seen_before(e, log_offset{300'001}));
}

TEST_CASE("a broken image is refused with the reason", "[risk]") {
  auto a = fresh();
  const auto events = stream(80, 8);
  for (std::size_t i = 0; i < events.size(); ++i)
    replay(a, events[i], i);
  auto image = a.take_dirty_images(log_offset{79})[0];
  tenant_scorer b;
  auto cut = image;
  cut.bytes.resize(cut.bytes.size() / 2);
  CHECK(b.load(cut).err().code == ec::corrupt);
  auto moved = image;
  moved.as_of = log_offset{80};
  CHECK(b.load(moved).err().code == ec::corrupt);
  auto elsewhere = image;
  elsewhere.chunk = 99;
  CHECK(b.load(elsewhere).err().code == ec::corrupt);
  CHECK(b.load(image).ok());
}

TEST_CASE("a model in shadow tells its score and reasons, and decides nothing", "[risk][f:4.10]") {
  const auto events = stream(300, 9);
  const auto other = model_of(stream(600, 78));
  REQUIRE(other->id() != shared_test_model()->id());
  auto plain = fresh(), shadowed = fresh();
  REQUIRE(shadowed.set_shadow(other).ok());
  auto judged = fresh();
  REQUIRE(judged.set_model(other, false).ok());
  for (std::size_t i = 0; i < events.size(); ++i) {
    const log_offset at{static_cast<std::int64_t>(i)};
    auto a = events[i], b = events[i], c = events[i];
    if (i % 50 == 49)
      a.amount = b.amount = c.amount = money{90'000'000, *parse_currency("EUR")};
    plain.score(a, at);
    shadowed.score(b, at);
    judged.score(c, at);
    REQUIRE(b.risk.parts.size() == a.risk.parts.size() + 1);
    const auto told = b.risk.parts.back();
    b.risk.parts.pop_back();
    CHECK(b.risk.parts == a.risk.parts);
    CHECK(b.risk.score == a.risk.score);
    CHECK(told.source == "shadow_model");
    CHECK(told.name == other->id());
    CHECK(told.points == 0);
    CHECK(told.value == c.risk.score);
    for (const auto& p : c.risk.parts)
      CHECK((p.points == 0 || told.detail.find(p.name) != std::string::npos));
  }
  // The same model as in force says nothing twice.
  REQUIRE(shadowed.set_shadow(shared_test_model()).ok());
  auto e = events.back();
  shadowed.score(e, log_offset{1'000});
  CHECK(e.risk.parts.back().source != "shadow_model");
}

TEST_CASE("state that is carried to another log goes on as if it were the same one", "[risk][f:2.4]") {
  for (const auto& options : {scorer_options{}, tight()}) {
    const auto events = stream(600, 31);
    constexpr std::size_t cut = 350;
    auto straight = fresh(options), moved = fresh(options), forgetful = fresh(options);
    std::vector<std::string> want;
    for (std::size_t i = 0; i < events.size(); ++i) {
      want.push_back(outcome(straight, events[i], i));
      if (i + 1 != cut)
        continue;
      // All chunks were dirty at least once: one image each, as of the cut.
      auto images = straight.take_dirty_images(log_offset{cut - 1});
      REQUIRE(images.size() > 1);
      for (const auto& image : images) {
        const auto carried = rebased(image, cut, log_offset{-1});
        REQUIRE(carried.ok());
        CHECK(carried->as_of == log_offset{-1});
        REQUIRE(moved.load(*carried).ok());
        REQUIRE(forgetful.load(image).ok());
      }
    }
    bool all = true, none = true;
    for (std::size_t i = cut; i < events.size(); ++i) {
      // The new log counts from 0.
      all = all && same(outcome(moved, events[i], i - cut), want[i]);
      none = none && same(outcome(forgetful, events[i], i - cut), want[i]);
    }
    CHECK(all);
    // Negative control: the images as they were take the new log's records for old ones.
    CHECK_FALSE(none);
  }
}

TEST_CASE("an image that is not whole is not carried over", "[risk]") {
  auto scorer = fresh();
  (void)outcome(scorer, stream(1, 3)[0], 0);
  auto image = scorer.take_dirty_images(log_offset{0}).front();
  image.bytes[image.bytes.size() / 2] ^= 1;
  CHECK(rebased(image, 1, log_offset{-1}).err().code == ec::corrupt);
}
