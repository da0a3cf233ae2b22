// Windows against an oracle that keeps every event and counts by the definition in models/rules/window.hpp; images and
// replay give the straight run, byte for byte.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <optional>
#include <set>

#include "models/detection/random.hpp"
#include "models/rules/engine.hpp"

using namespace pulse;
using namespace pulse::rules;
using pulse::detection::random_stream;

namespace {

constexpr std::int64_t start = 1'700'000'000'000;

constexpr std::string_view document = R"({"rules":[{"name":"all","points":1,"when":"
  velocity(card, 1m) > 3 or velocity(card, 1h, declined) > 1 or velocity(customer, 24h, orders) > 5 or
  sum(customer, 24h) > 5000 or distinct(card, device, 24h) > 3 or distinct(customer, ip, 7d) > 4 or
  velocity(email_domain, 30d, \"Order Completed\") > 50 or sum(device, 30d, orders) > 9000 or velocity(ip, 25h) > 5"}]})";

std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::shared_ptr<const rule_set> rules_of(std::string_view text) {
  auto out = rule_set::compile(one_line(text));
  INFO((out ? "" : out.err().detail));
  REQUIRE(out.ok());
  return *out;
}

/// Disorder of up to 30 h, so that some events are too late; few entities, so that windows fill; gaps of days.
std::vector<event> stream(std::size_t n, std::uint64_t seed) {
  random_stream random(seed, 0);
  std::vector<event> out;
  auto now = start;
  for (std::size_t i = 0; i < n; ++i) {
    now += random.uniform() < 0.01 ? 3 * day_ms : random.below(600) * second_ms;
    event e;
    e.type = "track";
    e.name = random.uniform() < 0.6 ? "Order Completed" : random.uniform() < 0.5 ? "Payment Failed" : "Product Viewed";
    e.message_id =
        "m" + std::to_string(random.uniform() < 0.05 && i > 0 ? random.below(static_cast<std::uint32_t>(i)) : i);
    if (random.uniform() < 0.9)
      e.customer = "c" + std::to_string(random.below(5));
    e.received_at = time_ms{now};
    const std::int64_t late = random.uniform() < 0.4 ? random.below(30 * 3600) : 0;
    e.occurred_at = time_ms{now - late * second_ms};
    if (random.uniform() < 0.8)
      e.amount = money{static_cast<std::int64_t>(random.below(9'000)) - 500,
                       *parse_currency(random.uniform() < 0.8 ? "EUR" : "JPY")};
    e.ip = random.uniform() < 0.9 ? "10.0.0." + std::to_string(random.below(3)) : "";
    e.email = "a@d" + std::to_string(random.below(2)) + ".example";
    e.properties = "{\"card_id\":\"k" + std::to_string(random.below(6)) + "\"}";
    e.context = "{\"device\":{\"id\":\"d" + std::to_string(random.below(3)) + "\"}}";
    e.test = random.uniform() < 0.02;
    out.push_back(std::move(e));
  }
  return out;
}

std::string text_of(const event& e, entity which) {
  return std::string(subject(e, {}).entity_text(which));
}

std::int64_t hour_of(time_ms t) {
  return t.value / hour_ms;
}

/// Everything that was ever added, and counting.
class oracle {
public:
  /// Nothing where the window is not known.
  std::optional<std::int64_t> ask(const input& i, const event& e) {
    const auto key = key_of(i, e);
    if (!key)
      return std::nullopt;
    const auto& past = added_[*key];
    if (late(past, e))
      return std::nullopt;
    std::int64_t n = 0;
    std::set<std::string> things;
    const auto look = [&](const event& p) {
      const bool inside =
          i.window.hourly ? hour_of(p.occurred_at) > hour_of(e.occurred_at) - i.width_ms / hour_ms &&
                                hour_of(p.occurred_at) <= hour_of(e.occurred_at)
                          : p.occurred_at.value > e.occurred_at.value - i.width_ms && p.occurred_at <= e.occurred_at;
      if (!inside)
        return;
      n += i.window.measure != measure::sum
               ? 1
               : p.amount->minor * (p.amount->unit == *parse_currency("EUR") ? 10'000 : 1'000'000);
      if (i.window.measure == measure::distinct)
        things.insert(text_of(p, i.window.what));
    };
    for (const auto& p : past)
      look(p);
    if (counts(i, e))
      look(e);
    return i.window.measure == measure::distinct ? static_cast<std::int64_t>(things.size()) : n;
  }

  void add(const std::vector<input>& inputs, const event& e) {
    std::set<std::string> done;
    for (const auto& i : inputs) {
      const auto key = key_of(i, e);
      if (key && counts(i, e) && done.insert(*key).second && !late(added_[*key], e))
        added_[*key].push_back(e);
    }
  }

private:
  static bool late(const std::vector<event>& past, const event& e) {
    return std::any_of(past.begin(), past.end(),
                       [&](const event& p) { return e.occurred_at.value < p.occurred_at.value - day_ms; });
  }

  static bool counts(const input& i, const event& e) {
    if (i.window.measure == measure::distinct && text_of(e, i.window.what).empty())
      return false;
    switch (i.window.filter) {
      case filter::orders: return e.name == "Order Completed";
      case filter::declined: return e.name == "Payment Failed";
      case filter::name: return e.name == i.window.event_name;
      default: return true;
    }
  }

  static std::optional<std::string> key_of(const input& i, const event& e) {
    const auto who = text_of(e, i.window.of);
    if (who.empty() || (i.window.measure == measure::sum && !e.amount))
      return std::nullopt;
    return std::to_string(i.window.id()) + who + (i.window.measure == measure::sum ? e.amount->unit.str() : "");
  }

  std::map<std::string, std::vector<event>> added_;
};

} // namespace

TEST_CASE("every window equals counting by hand, late and too late events included", "[rules][f:4.8]") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    const auto set = rules_of(document);
    window_store windows;
    windows.keep_only(set->inputs());
    oracle by_hand;
    std::size_t known = 0, late = 0;
    const auto events = stream(700, seed);
    for (std::size_t k = 0; k < events.size(); ++k) {
      const auto& e = events[k];
      CAPTURE(k);
      const subject s(e, {});
      for (const auto& i : set->inputs()) {
        CAPTURE(i.name);
        const auto expected = by_hand.ask(i, e);
        const auto got = windows.ask(i, s);
        REQUIRE(got.known() == expected.has_value());
        if (expected)
          REQUIRE(got.number == *expected * (i.window.measure == measure::sum ? 1 : 1'000'000));
        known += expected ? 1 : 0;
        late += expected ? 0 : 1;
      }
      if (!e.test) {
        windows.fold(s, log_offset{static_cast<std::int64_t>(k)});
        by_hand.add(set->inputs(), e);
      }
    }
    REQUIRE(known > 4000);
    REQUIRE(late > 50);
  }
}

TEST_CASE("a window that is full says that there may be more", "[rules][f:4.8]") {
  const auto set = rules_of(R"({"rules":[{"name":"a","when":"velocity(customer, 24h) > 1"}]})");
  window_store windows;
  windows.keep_only(set->inputs());
  event e;
  e.customer = "ada";
  for (std::int64_t k = 0; k < static_cast<std::int64_t>(window_entries_max) + 10; ++k) {
    e.occurred_at = time_ms{start + k};
    const subject s(e, {});
    REQUIRE(windows.saturated(set->inputs()[0], s) == (k > static_cast<std::int64_t>(window_entries_max)));
    windows.fold(s, log_offset{k});
  }
  CHECK(windows.ask(set->inputs()[0], subject(e, {})) ==
        value::whole(static_cast<std::int64_t>(window_entries_max) + 1));
}

namespace {

struct slot_run {
  explicit slot_run(std::shared_ptr<const rule_set> set) : work({}) {
    work.set_rules(std::move(set));
  }

  void apply(event e, std::int64_t at) {
    e.risk.score = 10;
    e.risk.parts = {{"model", "x", 10, "", {}, {}}};
    work.apply(e, {}, {}, log_offset{at});
    if (e.risk.parts.back().source == "rules")
      decided.push_back(e.risk.parts.back().detail + e.risk.outcome);
  }

  engine work;
  std::vector<std::string> decided;
};

std::map<int, std::string> images_of(engine& work, std::int64_t as_of) {
  std::map<int, std::string> out;
  for (auto& image : work.take_dirty_images(log_offset{as_of}))
    out[image.chunk] = std::move(image.bytes);
  return out;
}

} // namespace

TEST_CASE("images and replay give the state and the decisions of the straight run, wherever it is cut",
          "[rules][f:4.8]") {
  const auto set = rules_of(document);
  const auto events = stream(600, 9);
  const auto n = static_cast<std::int64_t>(events.size());
  slot_run straight(set);
  for (std::int64_t k = 0; k < n; ++k)
    straight.apply(events[static_cast<std::size_t>(k)], k);
  const auto whole = images_of(straight.work, n - 1);
  REQUIRE(whole.size() > 8);
  for (std::int64_t cut : {0, 1, 100, 333, 599}) {
    CAPTURE(cut);
    slot_run before(set);
    for (std::int64_t k = 0; k <= cut; ++k)
      before.apply(events[static_cast<std::size_t>(k)], k);
    slot_run after(set);
    for (auto& image : before.work.take_dirty_images(log_offset{cut}))
      REQUIRE(after.work.load(image).ok());
    // What the images hold may come again; then some are replayed, and some decided.
    for (std::int64_t k = std::max<std::int64_t>(0, cut - 20); k < n; ++k) {
      if (k <= cut + 50)
        after.work.replay(events[static_cast<std::size_t>(k)], log_offset{k});
      else
        after.apply(events[static_cast<std::size_t>(k)], k);
    }
    for (const auto& [chunk, bytes] : images_of(after.work, n - 1))
      CHECK(bytes == whole.at(chunk));
    CHECK(std::equal(after.decided.rbegin(), after.decided.rend(), straight.decided.rbegin()));
  }
}

TEST_CASE("tests and duplicates leave windows as they are", "[rules][f:4.8]") {
  slot_run work(rules_of(document));
  auto e = stream(1, 3).at(0);
  e.test = true;
  work.apply(e, 0);
  e.test = false;
  e.duplicate = true;
  work.apply(e, 1);
  CHECK(work.work.windows_kept() == 0);
  e.duplicate = false;
  work.apply(e, 2);
  CHECK(work.work.windows_kept() > 0);
}

TEST_CASE("only what rules in force ask for is kept", "[rules][f:4.8]") {
  slot_run work(rules_of(document));
  const auto events = stream(100, 4);
  for (std::size_t k = 0; k < events.size(); ++k)
    work.apply(events[k], static_cast<std::int64_t>(k));
  const auto many = work.work.windows_kept();
  // A draft asks for nothing; another width of the same window shares what is there.
  work.work.set_rules(rules_of(R"({"rules":[{"name":"a","when":"velocity(card, 5m) > 1"},
    {"name":"b","state":"draft","when":"velocity(ip, 1h) > 1"}]})"));
  CHECK(work.work.windows_kept() < many);
  CHECK(work.work.windows_kept() == 6);
  work.work.set_rules(nullptr);
  CHECK(work.work.windows_kept() == 0);
}

TEST_CASE("memory is bounded: what was longest unused goes first, the same in every run", "[rules]") {
  const auto set = rules_of(R"({"rules":[{"name":"a","when":"velocity(customer, 24h) > 1"}]})");
  const auto fill = [&] {
    window_store windows({8, 1000});
    windows.keep_only(set->inputs());
    for (std::int64_t k = 0; k < 2000; ++k) {
      event e;
      e.customer = "c" + std::to_string(k);
      e.occurred_at = time_ms{start + k};
      windows.fold(subject(e, {}), log_offset{k});
      REQUIRE(windows.size() <= 8 * window_chunk_count);
    }
    std::string out;
    for (const auto& image : windows.take_dirty_images(log_offset{1999}))
      out += image.bytes;
    return out;
  };
  CHECK(fill() == fill());
}

TEST_CASE("a broken image of windows is refused with the reason", "[rules]") {
  slot_run work(rules_of(document));
  work.apply(stream(1, 5).at(0), 0);
  auto images = work.work.take_dirty_images(log_offset{0});
  REQUIRE_FALSE(images.empty());
  window_store other;
  auto image = images[0];
  image.bytes[image.bytes.size() / 2] ^= 1;
  CHECK(other.load(image).err().code == ec::corrupt);
  image = images[0];
  image.chunk = (image.chunk + 1) % window_chunk_count;
  CHECK(other.load(image).err().code == ec::corrupt);
  image = images[0];
  for (std::size_t n = 0; n < image.bytes.size(); ++n)
    CHECK_FALSE(other.load({image.chunk, image.as_of, image.bytes.substr(0, n)}).ok());
}
