// Values of the rule language. A number never passes through a double: six decimal places in an integer, like
// `decimal`. What is not known is a value of its own: a comparison with it is false, arithmetic with it is not known
// either.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/money.hpp"

namespace pulse::rules {

/// `any` is known at run time only (a client's own property); `bad` had an error that was told already.
enum class type : std::uint8_t { bad, any, boolean, number, money, text, duration };

std::string_view to_string(type t);

enum class value_kind : std::uint8_t { unknown, boolean, number, money, text, duration };

struct value {
  value_kind kind = value_kind::unknown;
  /// Millionths of a number or of the currency's unit; milliseconds; 0 or 1.
  std::int64_t number = 0;
  /// Of money; empty: the event named none.
  currency unit;
  /// Points into the event, the program or the inputs it was made from.
  std::string_view text;

  static value of(bool b) {
    return {value_kind::boolean, b ? 1 : 0, {}, {}};
  }
  static value of(std::string_view t) {
    return {value_kind::text, 0, {}, t};
  }
  static value micro(std::int64_t millionths) {
    return {value_kind::number, millionths, {}, {}};
  }
  static value whole(std::int64_t n);
  static value duration(std::int64_t ms) {
    return {value_kind::duration, ms, {}, {}};
  }
  static value money_micro(std::int64_t millionths, currency unit) {
    return {value_kind::money, millionths, unit, {}};
  }

  bool known() const {
    return kind != value_kind::unknown;
  }
  bool is_true() const {
    return kind == value_kind::boolean && number != 0;
  }
  bool operator==(const value&) const = default;
};

enum class comparison : std::uint8_t { eq, ne, lt, le, gt, ge };
enum class arithmetic : std::uint8_t { add, sub, mul, div };

/// False with what is not known, with another kind, and with money of another currency (a bare number counts in the
/// money's own).
bool compare(comparison op, const value& a, const value& b);

/// True when the two can be compared at all.
bool comparable(const value& a, const value& b);

/// Not known when an operand is not, when kinds or currencies do not fit, on overflow and on division by zero. Products
/// and quotients are rounded half away from zero at the sixth place.
value calculate(arithmetic op, const value& a, const value& b);

/// `812.5 EUR`, `3`, `"GB"`, `24h`, `true`, `not known`.
std::string describe(const value& v);

} // namespace pulse::rules
