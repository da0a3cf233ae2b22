// The language of rules: what it says, what it refuses and where, and that no text makes it throw or run for ever.
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <random>

#include "models/rules/parser.hpp"
#include "models/rules/subject.hpp"

using namespace pulse;
using namespace pulse::rules;

namespace {

event order() {
  event e;
  e.type = "track";
  e.name = "Order Completed";
  e.customer = "ada";
  e.email = "Ada@Example.com";
  e.ip = "192.0.2.1";
  e.country = "GB";
  e.occurred_at = *parse_time("2026-11-24T13:30:00Z");
  e.amount = money{81'250, *parse_currency("EUR")};
  e.products = {{"p1", "", "", {10'000'000}, {2'000'000}}, {"p2", "", "", {5'000'000}, {1'500'000}}};
  e.properties = R"({"coupon":"X","score":7.5,"flag":true,"note":null,"deep":{"er":"yes"},"card":{"fingerprint":"fp1"},
    "billing_address":{"country_code":"FR","street":"1 Rue A","zip":"75001"}})";
  e.context = R"({"device":{"id":"d1"},"library":{"name":"x"}})";
  return e;
}

struct checked {
  program compiled;
  input_table inputs;
  std::vector<problem> problems;
};

checked compile(std::string_view text) {
  checked out;
  problem_sink sink(text, "/rules/0/when", out.problems);
  out.compiled = compile_expression(text, out.inputs, sink);
  return out;
}

class two_lists final : public list_source {
public:
  const std::string& version() const override {
    static const std::string name = "1";
    return name;
  }
  bool has(std::string_view list) const override {
    return list == "vip";
  }
  bool contains(std::string_view list, std::string_view text) const override {
    return list == "vip" && (text == "ada" || text == "7.5");
  }
};

outcome_of_run run_on(std::string_view text, const event& e) {
  const auto c = compile(text);
  INFO(text << (c.problems.empty() ? "" : ": " + c.problems[0].detail));
  REQUIRE(c.problems.empty());
  const subject s(e, {});
  std::vector<value> values;
  for (const auto& i : c.inputs.all)
    values.push_back(i.kind == input_kind::window ? value::whole(3) : s.read(i));
  const two_lists lists;
  return run(c.compiled, values, &lists);
}

bool holds(std::string_view text) {
  return run_on(text, order()).hit;
}

/// `code line:column` of each problem.
std::vector<std::string> refusals(std::string_view text) {
  std::vector<std::string> out;
  for (const auto& p : compile(text).problems)
    out.push_back(fmt::format("{} {}:{}", p.code, p.line, p.column));
  return out;
}

using list = std::vector<std::string>;

} // namespace

TEST_CASE("a rule compares money, numbers, texts, durations and booleans", "[rules][f:4.2]") {
  for (auto text : {"amount > 500 and velocity(card, 30d, declined) > 1 and country != billing_country",
                    "amount == 812.5 EUR",
                    "amount >= 812.50",
                    "not amount > 812.50 EUR",
                    "amount * 2 - 5 == 1620",
                    "amount / 2 EUR == 406.25",
                    "items == 3.5 and lines == 2",
                    "hour == 13 and weekday == 2",
                    "event == 'Order Completed'",
                    "email_domain == \"example.com\"",
                    "coupon in (\"X\", \"Y\")",
                    "coupon not in [\"Z\"]",
                    "properties.score > 7 and properties.flag",
                    "properties.deep.er == \"yes\"",
                    "card == \"fp1\" and device == \"d1\"",
                    "customer in list(\"vip\")",
                    "properties.score in list(vip)",
                    "customer not in list(vip) or true",
                    "-2 < 1 and 2 - 3 == -1 and -(1 + 1) == -2",
                    "24h == 1d and 90m > 1h and 1h + 30m == 90m and 1d / 1h == 24",
                    "min(2, 3) == 2 and max(2, 3) == 3",
                    "abs(-amount) == amount",
                    "lower(\"ÄB\") == \"Äb\" and length(customer) == 3",
                    "contains(email, \"@ex\") and starts_with(ip, \"192.\") and ends_with(customer, \"da\")",
                    "known(amount) and not known(shipping_country)",
                    "false or true and not false",
                    "1.10 == 1.1",
                    "0.1 + 0.2 == 0.3",
                    "bot == false and not declined"}) {
    INFO(text);
    CHECK(holds(text));
  }
  for (auto text : {"amount > 812.5", "amount > 1 USD", "amount + 1 USD > 0", "customer == \"Ada\"",
                    "false and true or false", "1 / 0 == 0 or 1 / 0 != 0", "velocity(card, 1h) < 3",
                    "customer in list(nobody) or customer not in list(nobody)"}) {
    INFO(text);
    CHECK_FALSE(holds(text));
  }
}

TEST_CASE("a comparison with what is not known is false and says so", "[rules][f:4.2]") {
  const auto blamed = [](std::string_view text) {
    const auto c = compile(text);
    list out;
    for (auto i : run_on(text, order()).unknown_inputs)
      out.push_back(c.inputs.all[i].name);
    return out;
  };
  for (auto text :
       {"shipping_country == \"GB\"", "shipping_country != \"GB\"", "shipping_country in (\"GB\")",
        "shipping_country not in (\"GB\")", "properties.nothing > 5", "properties.note", "ip_country != country"}) {
    INFO(text);
    CHECK_FALSE(holds(text));
    CHECK(blamed(text).size() == 1);
  }
  CHECK(blamed("properties.nothing * 2 + 1 > 5") == list{"properties.nothing"});
  CHECK(blamed("amount > 1 USD") == list{"amount"});
  CHECK(blamed("properties.coupon > 5") == list{"properties.coupon"});
  CHECK(blamed("amount > 500").empty());
  // What does not matter is not looked at.
  CHECK(blamed("amount > 500 or properties.nothing > 5").empty());
  CHECK(run_on("customer in list(nobody)", order()).unknown_lists == list{"nobody"});
  CHECK(holds("not properties.nothing > 5"));
}

TEST_CASE("every error of a rule is told at once, with line and column", "[rules][f:4.2]") {
  CHECK(refusals("amout > 5 and\n  cuntry == 3 and amount >") ==
        list{"unknown_name 1:1", "unknown_name 2:3", "unexpected 2:27"});
  CHECK(compile("amout > 5").problems[0].detail ==
        "line 1, column 1: `amout` is nothing that a rule knows; did you mean `amount`?");
  CHECK(compile("amout > 5").problems[0].pointer == "/rules/0/when");
  CHECK(refusals("amount = 5 && bot") == list{"unknown_symbol 1:8", "unknown_symbol 1:12"});
  CHECK(refusals("customer > 5") == list{"wrong_type 1:10"});
  CHECK(refusals("customer > \"a\"") == list{"wrong_type 1:10"});
  CHECK(refusals("amount + customer > 5") == list{"wrong_type 1:8"});
  CHECK(refusals("amount") == list{"wrong_type 1:1"});
  CHECK(refusals("1 < amount < 5") == list{"unexpected 1:12"});
  CHECK(refusals("velocity(cart, 1h) > 1") == list{"unknown_entity 1:10"});
  CHECK(refusals("velocity(card, 30s) > 1 or sum(card, 31d) > 1") == list{"bad_window 1:16", "bad_window 1:38"});
  CHECK(refusals("velocity(card, 1500m) == 25").empty());
  CHECK(refusals("velocity(card, 1501m) > 1") == list{"bad_window 1:16"});
  CHECK(refusals("velocity(card, 1h, denied) > 1") == list{"unknown_filter 1:20"});
  CHECK(refusals("velocity(card 1h) > 1") == list{"unexpected 1:15"});
  CHECK(refusals("explode(1) == 1") == list{"unknown_name 1:1"});
  CHECK(refusals("amount in (5, \"x\")") == list{"wrong_type 1:15"});
  CHECK(refusals("amount in 5") == list{"unexpected 1:11"});
  CHECK(refusals("(amount > 5") == list{"unexpected 1:12"});
  CHECK(refusals("amount > 5)") == list{"unexpected 1:11"});
  CHECK(refusals("customer == \"open") == list{"open_text 1:13"});
  CHECK(refusals("amount > 5 € 1x") == list{"unknown_symbol 1:12", "bad_unit 1:16", "unexpected 1:16"});
  CHECK(refusals("amount > 12345678901234") == list{"bad_number 1:10", "unexpected 1:24"});
  CHECK(refusals("") == list{"missing 1:1"});
  CHECK(refusals("bot bot") == list{"unexpected 1:5"});
}

TEST_CASE("windows have one name however they are written", "[rules]") {
  const auto c = compile(
      "velocity(card, 1d) > 1 or count(card, 24h, any) > 2 or velocity( card ,1440m)>1 or velocity(card, 1h) > 0");
  REQUIRE(c.problems.empty());
  REQUIRE(c.inputs.all.size() == 2);
  CHECK(c.inputs.all[0].name == "velocity(card, 1d)");
  CHECK(compile("distinct(card, device, 48h, \"Order Completed\") > 1").inputs.all[0].name ==
        "distinct(card, device, 2d, \"Order Completed\")");
}

TEST_CASE("a rule is bounded in length, depth and what it asks for", "[rules][f:4.2]") {
  const auto repeated = [](std::string_view text, int n) {
    std::string out;
    for (int i = 0; i < n; ++i)
      out += text;
    return out;
  };
  CHECK(refusals(repeated("(", 3000) + "bot") == list{"too_deep 1:33"});
  CHECK(refusals(repeated("not ", 900) + "bot").at(0).starts_with("too_deep"));
  CHECK(refusals(repeated("- ", 1900) + "1 > 1").at(0).starts_with("too_deep"));
  CHECK(refusals(repeated(" ", 5000)) == list{"too_large 1:1"});
  CHECK(refusals(repeated("1+", 600) + "1>1").at(0).starts_with("too_long"));
  CHECK(refusals(repeated("bot or ", 250) + "bot").empty());
  std::string windows = "bot";
  for (int i = 1; i <= 65; ++i)
    windows += fmt::format(" or velocity(ip,{}m)>1", i);
  CHECK(refusals(windows).at(0).starts_with("too_many"));
}

TEST_CASE("no text makes the parser throw or run for ever", "[rules][f:4.2]") {
  static constexpr std::string_view words[] = {
      "amount", ">",   "500",   "EUR",   "and",   "or",       "not", "in",       "list", "(",
      ")",      "[",   "]",     ",",     "\"a\"", "'",        "-",   "velocity", "sum",  "card",
      "24h",    "30d", "1m",    "==",    "!=",    "declined", "*",   "/",        "+",    "distinct",
      "device", "min", "known", "bot",   "\\",    "\n",       "&&",  "=",        "é",    "properties.a",
      "true",   "<",   "9e9",   "1.2.3", "\x80"};
  constexpr auto seed = 20'261'125u;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    const auto n = random() % 30;
    for (std::size_t i = 0; i < n; ++i) {
      text += random() % 20 == 0 ? std::string(1, static_cast<char>(random() % 256))
                                 : std::string(words[random() % std::size(words)]);
      text += random() % 3 == 0 ? "" : " ";
    }
    CAPTURE(text);
    const auto c = compile(text);
    REQUIRE(c.problems.size() <= problems_max);
    REQUIRE(c.compiled.code.empty() == !c.problems.empty());
    if (!c.problems.empty())
      continue;
    const std::vector<value> unknown(c.inputs.all.size());
    run(c.compiled, unknown, nullptr);
  }
}
