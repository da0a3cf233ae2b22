// Money: digits in, minor units out, half-up away from zero, never through a double.
#include <catch2/catch_test_macros.hpp>

#include "base/money.hpp"

using namespace pulse;

namespace {

const auto eur = *parse_currency("EUR");
const auto jpy = *parse_currency("jpy");
const auto kwd = *parse_currency("KWD");

} // namespace

TEST_CASE("a decimal is read by its digits", "[money]") {
  CHECK(parse_decimal("39.9")->micro == 39'900'000);
  CHECK(parse_decimal("-0.0000005")->micro == -1);
  CHECK(parse_decimal("0.0000004")->micro == 0);
  CHECK(parse_decimal("1e3")->micro == 1'000'000'000);
  CHECK(parse_decimal("12.5E-1")->micro == 1'250'000);
  CHECK(parse_decimal("0.1")->micro + parse_decimal("0.2")->micro == parse_decimal("0.3")->micro);
  CHECK(parse_decimal("9007199254.740993")->micro == 9'007'199'254'740'993);
  CHECK(parse_decimal(".5")->micro == 500'000);
  CHECK(parse_decimal("-12.")->micro == -12'000'000);
  CHECK(parse_decimal("1.123456")->micro == 1'123'456);
  CHECK(parse_decimal("1.1234565")->micro == 1'123'457);
  CHECK(parse_decimal("999999999999")->micro == 999'999'999'999'000'000);
  CHECK(parse_decimal("123456789012.5")->micro == 123'456'789'012'500'000);
}

TEST_CASE("text that is no decimal, or does not fit, is nothing", "[money]") {
  for (auto text : {"", "-", ".", "1.2.3", "1,5", "NaN", "0x10", "1e", "1e99", " 1", "9300000000000"})
    CHECK_FALSE(parse_decimal(text).has_value());
  CHECK_FALSE(parse_decimal(std::string(400, '9')).has_value());
  CHECK(parse_decimal("0." + std::string(400, '9'))->micro == 1'000'000);
  CHECK(parse_decimal("1e-400")->micro == 0);
  CHECK(parse_decimal("0e999999999999")->micro == 0);
}

TEST_CASE("a decimal prints its shortest form", "[money]") {
  CHECK(decimal{12'500'000}.str() == "12.5");
  CHECK(decimal{-1}.str() == "-0.000001");
  CHECK(decimal{3'000'000}.str() == "3");
}

TEST_CASE("totals are rounded half-up to the currency's minor unit", "[money]") {
  CHECK(to_money(*parse_decimal("12.345"), eur).amount() == "12.35");
  CHECK(to_money(*parse_decimal("-12.345"), eur).amount() == "-12.35");
  CHECK(to_money(*parse_decimal("0.004"), eur).amount() == "0.00");
  CHECK(to_money(*parse_decimal("1250.5"), jpy).amount() == "1251");
  CHECK(to_money(*parse_decimal("1.2345"), kwd).amount() == "1.235");
  CHECK(money{-5, eur}.amount() == "-0.05");
}

TEST_CASE("a line's total is price times quantity, and says when it does not fit", "[money]") {
  CHECK(line_total(*parse_decimal("1.04"), *parse_decimal("74215"), eur)->amount() == "77183.60");
  CHECK(line_total(*parse_decimal("0.333333"), *parse_decimal("3"), eur)->amount() == "1.00");
  CHECK_FALSE(line_total(*parse_decimal("9000000000000"), *parse_decimal("9000000000000"), eur).has_value());
}
