// What a tenant may say of its topic, and that secrets go nowhere.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "models/source/config.hpp"

using namespace pulse;
using nlohmann::json;

namespace {

json good() {
  return {{"kind", "kafka"},
          {"brokers", {"kafka.shop.example:9093", "[2001:db8::1]:9092"}},
          {"topic", "shop.orders"},
          {"security",
           {{"protocol", "sasl_ssl"}, {"mechanism", "SCRAM-SHA-256"}, {"user", "pulse"}, {"password", "hush-hush"}}},
          {"mapping", {{"/userId", "/customer"}}}};
}

/// The pointer of the first problem; empty when there is none.
std::string problem(const json& body, bool made = false) {
  source::kafka_config c;
  if (made)
    REQUIRE(source::apply(good(), c, false).ok());
  if (auto ok = source::apply(body, c, made); !ok) {
    CHECK(ok.err().code == ec::invalid);
    CHECK_FALSE(ok.err().detail.empty());
    return ok.err().pointer;
  }
  const auto ok = source::validate(c);
  return ok ? "" : ok.err().pointer;
}

json with(const char* pointer, const json& value) {
  auto out = good();
  out[json::json_pointer(pointer)] = value;
  return out;
}

} // namespace

TEST_CASE("a source that is whole is taken", "[source][f:2.14]") {
  CHECK(problem(good()).empty());
  CHECK(problem({{"brokers", {"10.0.0.1:9092"}}, {"topic", "t"}}).empty());
  CHECK(problem(with("/security", {{"protocol", "plaintext"}})).empty());
}

TEST_CASE("what is wrong with a source is told with its place", "[source][f:2.14]") {
  CHECK(problem(with("/brokers", json::array())) == "/brokers");
  for (const auto* b :
       {"kafka", "kafka:0", "kafka:99999", ":9092", "ka fka:9092", "http://kafka:9092", "[::1:9092", "a,b:1"})
    CHECK(problem(with("/brokers", {b})) == "/brokers");
  for (const auto* t : {"", ".", "..", "a/b", "tüte"})
    CHECK(problem(with("/topic", t)) == "/topic");
  CHECK(problem(with("/topic", 7)) == "/topic");
  CHECK(problem(with("/start", "now")) == "/start");
  CHECK(problem(with("/colour", "red")) == "/colour");
  CHECK(problem(with("/security/protocol", "kerberos")) == "/security/protocol");
  CHECK(problem(with("/security/protocol", "ssl")) == "/security/protocol");
  CHECK(problem(with("/security/mechanism", "GSSAPI")) == "/security/mechanism");
  CHECK(problem(with("/security/ssl.ca.location", "/etc/passwd")) == "/security/ssl.ca.location");
  CHECK(problem(with("/security/ca", "/etc/passwd")) == "/security/ca");
  CHECK(problem(with("/security/cert", "-----BEGIN CERTIFICATE-----")) == "/security/key");
  CHECK(problem(with("/security/password", "")) == "/security/user");
  CHECK(problem(with("/security/password", std::string("a\0b", 3))) == "/security/password");
  CHECK(problem(with("/security",
                     {{"protocol", "sasl_plaintext"}, {"mechanism", "PLAIN"}, {"user", "u"}, {"password", "p"}})) ==
        "/security/mechanism");
  CHECK(problem(with("/mapping", {{"/nothing", "/a"}})) == "/mapping/~1nothing");
}

TEST_CASE("topic and start of a source stay what they were", "[source][f:2.14]") {
  CHECK(problem({{"topic", "shop.orders"}, {"start", "earliest"}}, true).empty());
  CHECK(problem({{"topic", "other"}}, true) == "/topic");
  CHECK(problem({{"start", "latest"}}, true) == "/start");
  CHECK(problem({{"brokers", {"new.example:1"}}}, true).empty());
}

TEST_CASE("secrets stand neither in what is shown nor in what is stored as the config", "[source][f:2.14]") {
  source::kafka_config c;
  REQUIRE(source::apply(good(), c, false).ok());
  c.key = "-----BEGIN PRIVATE KEY-----hush-hush";
  for (const auto& text : {source::to_json(c).dump(), source::stored_config(c)}) {
    CHECK(text.find("hush-hush") == std::string::npos);
    CHECK(text.find("shop.orders") != std::string::npos);
  }
  CHECK(source::to_json(c)["security"]["password_set"] == true);
  const auto back = source::read_stored(source::stored_config(c), source::stored_secrets(c));
  REQUIRE(back.ok());
  CHECK(*back == c);
  CHECK(source::read_stored("[]", "{}").err().code == ec::corrupt);
}

TEST_CASE("a broker that is named by a private address is known before it is connected to", "[source][f:2.14]") {
  source::kafka_config c;
  const auto closed = [&](const char* broker, const char* allow = "") {
    c.brokers = {"kafka.shop.example:9092", broker};
    return source::closed_broker(c, parse_cidrs(allow).value()).has_value();
  };
  for (const auto* b :
       {"127.0.0.1:9092", "10.1.2.3:9092", "[::1]:9092", "[::ffff:10.0.0.1]:9092", "169.254.169.254:80"})
    CHECK(closed(b));
  CHECK_FALSE(closed("9.9.9.9:9092"));
  CHECK_FALSE(closed("10.1.2.3:9092", "10.1.0.0/16"));
  CHECK(closed("10.2.2.3:9092", "10.1.0.0/16"));
}
