#include "models/rules/value.hpp"

#include <fmt/format.h>

#include "base/time.hpp"

namespace pulse::rules {

namespace {

constexpr std::int64_t million = 1'000'000;
using wide = __int128;

value fitted(value_kind kind, wide n, currency unit) {
  if (n > INT64_MAX || n < -static_cast<wide>(INT64_MAX))
    return {};
  return {kind, static_cast<std::int64_t>(n), unit, {}};
}

/// Half away from zero; `by` is not 0.
wide divided(wide n, wide by) {
  if (by < 0) {
    n = -n;
    by = -by;
  }
  return n < 0 ? -((-n + by / 2) / by) : (n + by / 2) / by;
}

bool numeric(const value& v) {
  return v.kind == value_kind::number || v.kind == value_kind::money || v.kind == value_kind::duration;
}

bool is_amount(const value& v) {
  return v.kind == value_kind::number || v.kind == value_kind::money;
}

/// Two kinds that can be added or put in order.
bool alike(const value& a, const value& b) {
  if (a.kind == value_kind::money && b.kind == value_kind::money)
    return a.unit == b.unit;
  return (is_amount(a) && is_amount(b)) || (a.kind == b.kind && numeric(a));
}

value product(const value& a, const value& b) {
  // Money and durations are multiplied by plain numbers alone.
  if (a.kind != value_kind::number && b.kind != value_kind::number)
    return {};
  const auto& other = a.kind == value_kind::number ? b : a;
  return fitted(other.kind, divided(static_cast<wide>(a.number) * b.number, million), other.unit);
}

value quotient(const value& a, const value& b) {
  if (b.number == 0)
    return {};
  const auto n = divided(static_cast<wide>(a.number) * million, b.number);
  if (b.kind == value_kind::number)
    return fitted(a.kind, n, a.unit);
  return a.kind == b.kind && a.unit == b.unit ? fitted(value_kind::number, n, {}) : value{};
}

} // namespace

std::string_view to_string(type t) {
  switch (t) {
    case type::bad: return "nothing";
    case type::any: return "a value of unknown type";
    case type::boolean: return "true or false";
    case type::number: return "a number";
    case type::money: return "an amount of money";
    case type::text: return "a text";
    case type::duration: return "a duration";
  }
  return "";
}

value value::whole(std::int64_t n) {
  return fitted(value_kind::number, static_cast<wide>(n) * million, {});
}

bool comparable(const value& a, const value& b) {
  return a.known() && b.known() && (alike(a, b) || (a.kind == b.kind && !numeric(a)));
}

bool compare(comparison op, const value& a, const value& b) {
  if (!comparable(a, b))
    return false;
  const auto order = a.kind == value_kind::text ? a.text.compare(b.text) <=> 0 : a.number <=> b.number;
  switch (op) {
    case comparison::eq: return order == 0;
    case comparison::ne: return order != 0;
    case comparison::lt: return order < 0;
    case comparison::le: return order <= 0;
    case comparison::gt: return order > 0;
    case comparison::ge: return order >= 0;
  }
  return false;
}

value calculate(arithmetic op, const value& a, const value& b) {
  if (!numeric(a) || !numeric(b))
    return {};
  if (op == arithmetic::mul)
    return product(a, b);
  if (op == arithmetic::div)
    return quotient(a, b);
  if (!alike(a, b))
    return {};
  const auto& kind = a.kind == value_kind::number ? b : a;
  const auto n =
      op == arithmetic::add ? static_cast<wide>(a.number) + b.number : static_cast<wide>(a.number) - b.number;
  return fitted(kind.kind, n, kind.unit);
}

std::string describe(const value& v) {
  switch (v.kind) {
    case value_kind::unknown: return "not known";
    case value_kind::boolean: return v.number != 0 ? "true" : "false";
    case value_kind::number: return decimal{v.number}.str();
    case value_kind::money:
      return v.unit.empty() ? decimal{v.number}.str() : decimal{v.number}.str() + " " + v.unit.str();
    case value_kind::text: return fmt::format("\"{}\"", v.text);
    case value_kind::duration: break;
  }
  for (const auto& [ms, letter] : {std::pair{day_ms, 'd'}, {hour_ms, 'h'}, {minute_ms, 'm'}, {second_ms, 's'}})
    if (v.number != 0 && v.number % ms == 0)
      return fmt::format("{}{}", v.number / ms, letter);
  return fmt::format("{}s", decimal{v.number * 1000}.str());
}

} // namespace pulse::rules
