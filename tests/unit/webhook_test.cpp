// Webhook messages: signatures as other people's libraries make them, retries over days, at most ten an hour.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "models/alert/endpoint_url.hpp"
#include "models/alert/flag_limit.hpp"
#include "models/alert/retry.hpp"
#include "models/alert/webhook.hpp"

using namespace pulse;
using namespace pulse::alert;

namespace {

// The vector of the reference libraries' own tests (standardwebhooks, svix).
const auto known_secret = webhook_secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
const std::string known_id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const std::string known_body = R"({"test": 2432232314})";
constexpr std::int64_t known_time = 1614265330;
const std::string known_signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

} // namespace

TEST_CASE("the reference vector is signed and verified", "[alert][f:8.1]") {
  CHECK(sign(std::span(&known_secret, 1), known_id, known_time, known_body) == known_signature);
  const auto stamp = std::to_string(known_time);
  CHECK(verify(known_secret, known_id, stamp, known_signature, known_body, known_time));
  CHECK(verify(known_secret, known_id, stamp, "v1,AAAA v2,x " + known_signature, known_body, known_time + 300));
  CHECK_FALSE(verify(known_secret, known_id, stamp, known_signature, known_body + " ", known_time));
  CHECK_FALSE(verify(known_secret, known_id + "x", stamp, known_signature, known_body, known_time));
  CHECK_FALSE(verify(known_secret, known_id, stamp, known_signature, known_body, known_time + 301));
  CHECK_FALSE(verify(known_secret, known_id, "soon", known_signature, known_body, known_time));
}

TEST_CASE("while a secret is rotated both sign", "[alert][f:8.1]") {
  const std::vector<webhook_secret> both{webhook_secret::make(system_random()), known_secret};
  const auto signatures = sign(both, known_id, known_time, known_body);
  CHECK(signatures.ends_with(" " + known_signature));
  for (const auto& s : both)
    CHECK(verify(s, known_id, std::to_string(known_time), signatures, known_body, known_time));
}

TEST_CASE("a secret has its form", "[alert]") {
  const auto made = webhook_secret::make(system_random());
  CHECK(webhook_secret::parse(made.str()).value().bytes() == made.bytes());
  CHECK(made.str() != webhook_secret::make(system_random()).str());
  for (auto bad : {"", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"})
    CHECK_FALSE(webhook_secret::parse(bad).ok());
}

TEST_CASE("an alert has the same id and body on every attempt, and a new signature", "[alert][f:8.1]") {
  outgoing_alert a;
  a.alert_id = uuid::parse("0192f0c1-2345-8789-abcd-0123456789ab").value();
  a.type = "event.flagged";
  a.created_at = time_ms{1'700'000'000'000};
  a.data = R"({"alert_id":"x","title":"odd","url":null})";
  a.url = "https://pulse.example/alerts/1";
  const auto first = build_webhook(a, std::span(&known_secret, 1), time_ms{1'700'000'001'999}).value();
  a.replay = true;
  const auto again = build_webhook(a, std::span(&known_secret, 1), time_ms{1'700'009'000'000}).value();
  CHECK(first.body == again.body);
  const auto body = nlohmann::json::parse(first.body);
  CHECK(body["type"] == "event.flagged");
  CHECK(body["timestamp"] == "2023-11-14T22:13:20.000Z");
  CHECK(body["data"]["alert_id"] == a.alert_id.str());
  CHECK(body["data"]["url"] == a.url);
  const auto header = [](const webhook_message& m, std::string_view name) {
    for (const auto& [key, value] : m.headers)
      if (key == name)
        return value;
    return std::string();
  };
  CHECK(header(first, "webhook-id") == "msg_" + a.alert_id.str());
  CHECK(header(again, "webhook-id") == webhook_id(a.alert_id));
  CHECK(header(first, "webhook-timestamp") == "1700000001");
  CHECK(header(first, "webhook-replay").empty());
  CHECK(header(again, "webhook-replay") == "true");
  CHECK(verify(known_secret, webhook_id(a.alert_id), "1700000001", header(first, "webhook-signature"), first.body,
               1700000001));
  a.data = "[]";
  CHECK_FALSE(build_webhook(a, std::span(&known_secret, 1), time_ms{0}).ok());
}

TEST_CASE("an answer's status says what becomes of the delivery", "[alert]") {
  CHECK(outcome_of(200) == outcome::delivered);
  CHECK(outcome_of(299) == outcome::delivered);
  CHECK(outcome_of(410) == outcome::disable);
  for (int status : {0, 199, 301, 307, 400, 404, 429, 500, 503})
    CHECK(outcome_of(status) == outcome::retry);
}

TEST_CASE("retries reach over days, jittered, and honour Retry-After", "[alert][f:8.2]") {
  const retry_config config;
  std::int64_t shortest = 0;
  int attempts = 1;
  for (; const auto delay = next_delay_ms(config, attempts, std::nullopt, 0); ++attempts)
    shortest += *delay;
  CHECK(attempts == 12);
  CHECK(shortest > 2 * day_ms);
  CHECK(next_delay_ms(config, 1, std::nullopt, 0.5) == 5000);
  CHECK(next_delay_ms(config, 1, std::nullopt, 0.0) == 4000);
  CHECK(next_delay_ms(config, 1, std::nullopt, 0.999) < 6000);
  CHECK(next_delay_ms(config, 1, 60, 0.5) == 60'000);
  CHECK(next_delay_ms(config, 4, 60, 0.5) == 600'000);
  CHECK(next_delay_ms(config, 1, 10'000'000'000, 0.5) == 24 * hour_ms);
  CHECK(next_delay_ms(config, 1, -5, 0.5) == 5000);
  CHECK_FALSE(next_delay_ms(config, 12, 60, 0.5).has_value());
}

TEST_CASE("at most ten flagged events an hour are told, then one summary", "[alert][f:8.5]") {
  flag_limit limit;
  std::int64_t told = 0;
  std::int64_t summaries = 0;
  std::int64_t accounted = 0;
  std::vector<std::int64_t> at;
  for (std::int64_t minute = 0; minute < 600; ++minute) {
    const time_ms now{minute * minute_ms};
    if (auto s = limit.tick(now)) {
      ++summaries;
      accounted += s->held;
      CHECK(s->highest_risk == 95);
      CHECK(s->critical == s->held);
    }
    if (limit.admit(now, 95, true)) {
      ++told;
      at.push_back(minute);
    }
  }
  if (auto s = limit.tick(time_ms{700 * minute_ms}))
    accounted += s->held;
  CHECK(told + accounted == 600);
  CHECK(summaries == 8);
  for (std::size_t i = 10; i < at.size(); ++i)
    CHECK(at[i] - at[i - 10] >= 60);
}

TEST_CASE("what was told before a restart counts", "[alert]") {
  flag_limit limit;
  limit.restore(std::vector<time_ms>(10, time_ms{0}), std::nullopt);
  CHECK_FALSE(limit.admit(time_ms{minute_ms}, 91, false));
  CHECK(limit.due() == time_ms{61 * minute_ms});
  CHECK_FALSE(limit.tick(time_ms{60 * minute_ms}).has_value());
  const auto s = limit.tick(time_ms{61 * minute_ms});
  REQUIRE(s);
  CHECK(s->held == 1);
  CHECK_FALSE(limit.tick(time_ms{62 * minute_ms}).has_value());
  CHECK(limit.admit(time_ms{62 * minute_ms}, 91, false));
}

TEST_CASE("an endpoint's URL is http or https with a host and no user", "[alert]") {
  for (auto good : {"https://a.example/hook?x=1", "HTTP://a", "http://127.0.0.1:8090/", "https://[2001:db8::1]/x"})
    CHECK(check_endpoint_url(good).ok());
  for (auto bad : {"", "a.example", "ftp://a", "https://", "https:///x", "http://:80/", "https://u:p@a/",
                   "https://a b/", "https://a/#x", "https://a\\@b/", "https://caf\xc3\xa9/"}) {
    INFO(bad);
    CHECK_FALSE(check_endpoint_url(bad).ok());
  }
  CHECK_FALSE(check_endpoint_url("https://a/" + std::string(2048, 'x')).ok());
}
