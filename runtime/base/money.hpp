// Money as integers: totals in ISO 4217 minor units, prices and quantities as decimals of six places. A number
// is read by its digits and never passes through a double.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pulse {

/// A decimal of six places: 1.5 is 1,500,000.
struct decimal {
  std::int64_t micro = 0;

  auto operator<=>(const decimal&) const = default;

  /// Shortest form: `12.5`, `-3`, `0.000001`.
  std::string str() const;
};

/// Reads `[-+]digits[.digits][(e|E)[-+]digits]`, half-up at the sixth place (away from zero). Nothing for other
/// text or when it does not fit (|value| < 9.2e12).
std::optional<decimal> parse_decimal(std::string_view text);

/// Three capital letters.
struct currency {
  std::array<char, 3> code{};

  auto operator<=>(const currency&) const = default;

  std::string str() const {
    return empty() ? std::string{} : std::string(code.data(), 3);
  }

  bool empty() const {
    return code[0] == 0;
  }
};

/// Takes three letters in any case (ISO 4217); whether the currency exists is not asked.
std::optional<currency> parse_currency(std::string_view text);

/// Digits of the minor unit by ISO 4217: 2 but for the listed exceptions (JPY 0, KWD 3 ...).
int minor_digits(currency c);

struct money {
  std::int64_t minor = 0;
  currency unit;

  auto operator<=>(const money&) const = default;

  /// `12.50` for 1250 EUR, `1250` for 1250 JPY.
  std::string amount() const;
};

/// Half-up to the minor unit, away from zero.
money to_money(decimal amount, currency unit);

/// price × quantity, half-up to the minor unit; nothing when it does not fit.
std::optional<money> line_total(decimal price, decimal quantity, currency unit);

} // namespace pulse
