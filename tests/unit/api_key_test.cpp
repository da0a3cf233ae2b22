// API keys: where they stand, what is remembered of them and for how long, who may do what.
#include <catch2/catch_test_macros.hpp>

#include "http/middleware/key_gate.hpp"

using namespace pulse;
using namespace pulse::http;

namespace {

struct hand_clock final : clock {
  std::int64_t at = 1'000'000;

  time_ms now() const override {
    return {at};
  }

  std::int64_t monotonic_ms() const override {
    return at;
  }
};

/// Answers when it is told to.
struct hand_directory final : key_directory {
  std::optional<key_record> record;
  bool away = false;
  bool silent = false;
  int asked = 0;
  std::vector<found> held;

  void find(std::string_view, found done) override {
    ++asked;
    if (silent)
      held.push_back(std::move(done));
    else if (away)
      done(error{ec::unavailable, "away", ""});
    else
      done(record);
  }
};

struct gate_fixture {
  hand_clock time;
  hand_directory directory;
  api_key key = make_api_key(false, system_random());
  std::shared_ptr<key_gate> gate = std::make_shared<key_gate>(directory, time, key_gate::config{});

  gate_fixture() {
    directory.record = key_record{7, tenant_id{3}, {scope::ingest}, false, key.hash(), {}, {}};
  }

  /// `ok`, or the error's code.
  std::string check(std::string_view presented) {
    std::string out = "nothing";
    gate->check(presented, [&](result<principal> r) { out = r ? "ok" : std::string(to_string(r.err().code)); });
    return out;
  }
};

principal who(scope_set scopes) {
  principal out;
  out.scopes = scopes;
  return out;
}

header_list with(std::string name, std::string value) {
  header_list out;
  out.add(std::move(name), std::move(value));
  return out;
}

} // namespace

TEST_CASE("a key has its form, and another one each time", "[http][f:1.1]") {
  const auto a = make_api_key(false, system_random());
  const auto b = make_api_key(true, system_random());
  CHECK(a.text.size() == 52);
  CHECK(a.id().size() == 20);
  CHECK(b.test());
  CHECK(a.text != make_api_key(false, system_random()).text);
  CHECK(parse_api_key(a.text).has_value());
  CHECK_FALSE(parse_api_key(a.text + "x").has_value());
  CHECK_FALSE(parse_api_key("pe_prod_" + a.text.substr(8)).has_value());
  CHECK_FALSE(parse_api_key(a.text.substr(0, 51) + "-").has_value());
}

TEST_CASE("the key is found in each of the three places", "[http][f:1.1]") {
  CHECK(key_from_headers(with("authorization", "Bearer abc")).value() == "abc");
  CHECK(key_from_headers(with("Authorization", "basic " + to_base64("abc:"))).value() == "abc");
  CHECK(key_from_headers(with("x-api-key", "abc")).value() == "abc");
  CHECK(key_from_headers({}).value() == std::nullopt);
  CHECK_FALSE(key_from_headers(with("Authorization", "Basic " + to_base64("abc:secret"))).ok());
  CHECK_FALSE(key_from_headers(with("Authorization", "Digest abc")).ok());
  CHECK_FALSE(key_from_headers(with("Authorization", "Basic %%%")).ok());
  auto two = with("X-API-Key", "abc");
  two.add("Authorization", "Bearer abd");
  CHECK_FALSE(key_from_headers(two).ok());
}

TEST_CASE_METHOD(gate_fixture, "a good key is asked for once in four seconds", "[http][f:1.1]") {
  CHECK(check(key.text) == "ok");
  time.at += 3'999;
  CHECK(check(key.text) == "ok");
  CHECK(directory.asked == 1);
  directory.record->revoked = time.now();
  time.at += 1;
  CHECK(check(key.text) == "unauthorized");
  CHECK(directory.asked == 2);
}

TEST_CASE_METHOD(gate_fixture, "a wrong secret, an expired key and no key are refused", "[http][f:1.1]") {
  auto wrong = key.text;
  wrong.back() = wrong.back() == 'a' ? 'b' : 'a';
  CHECK(check(wrong) == "unauthorized");
  CHECK(check("") == "unauthorized");
  CHECK(check(key.text) == "ok");
  directory.record->expires = time_ms{time.at + 5000};
  time.at += 4000;
  CHECK(check(key.text) == "ok");
  time.at += 1000;
  CHECK(check(key.text) == "unauthorized");
}

TEST_CASE_METHOD(gate_fixture, "while the directory is away a checked key stays good for 15 minutes", "[http][f:1.1]") {
  CHECK(check(key.text) == "ok");
  directory.away = true;
  time.at += 15 * minute_ms - 1;
  CHECK(check(key.text) == "ok");
  const int asked = directory.asked;
  CHECK(check(key.text) == "ok");
  CHECK(directory.asked == asked);
  time.at += 2;
  CHECK(check(key.text) == "unavailable");
  CHECK(check(make_api_key(false, system_random()).text) == "unavailable");
  directory.away = false;
  time.at += 1000;
  CHECK(check(key.text) == "ok");
}

TEST_CASE_METHOD(gate_fixture, "a silent directory counts as away, and its late answer as nothing", "[http][f:1.1]") {
  CHECK(check(key.text) == "ok");
  directory.silent = true;
  time.at += 4000;
  std::vector<std::string> answers;
  for (int i = 0; i < 3; ++i)
    gate->check(key.text, [&](result<principal> r) { answers.push_back(r ? "ok" : r.err().detail); });
  CHECK(directory.asked == 2);
  CHECK(answers.empty());
  time.at += 900;
  gate->tick();
  CHECK(answers == std::vector<std::string>{"ok", "ok", "ok"});
  directory.held.at(0)(std::optional<key_record>{});
  CHECK(answers.size() == 3);
}

TEST_CASE_METHOD(gate_fixture, "unknown keys are remembered shortly and in bounds", "[http][f:1.1]") {
  directory.record.reset();
  CHECK(check(key.text) == "unauthorized");
  CHECK(check(key.text) == "unauthorized");
  CHECK(directory.asked == 1);
  time.at += 2000;
  CHECK(check(key.text) == "unauthorized");
  CHECK(directory.asked == 2);
  key_cache_config small;
  small.known_max = small.unknown_max = 10;
  key_cache cache(small);
  cache.put("real", key_record{}, 0);
  for (int i = 0; i < 1000; ++i)
    cache.put(std::to_string(i), std::nullopt, 0);
  CHECK(cache.size() == 11);
  CHECK(cache.look("real", 1).what == key_cache::state::known);
  CHECK(cache.look("0", 1).what == key_cache::state::ask);
  CHECK(cache.look("999", 1).what == key_cache::state::unknown);
}

TEST_CASE("a scope opens its routes and no others", "[http][f:1.1]") {
  route r;
  r.needed = scope::ingest;
  CHECK(authorize(who({scope::ingest}), r).ok());
  CHECK_FALSE(authorize(who({scope::read, scope::admin, scope::publishable}), r).ok());
  r.publishable = true;
  CHECK(authorize(who({scope::publishable}), r).ok());
}
