#include "base/money.hpp"

#include <algorithm>
#include <limits>

namespace pulse {

namespace {

// The sanitizer-clean way to say 128 bits under -Wpedantic.
__extension__ using int128 = __int128;

constexpr std::int64_t micro_per_unit = 1'000'000;

constexpr std::int64_t pow10(int n) {
  std::int64_t v = 1;
  while (n-- > 0)
    v *= 10;
  return v;
}

/// Division that rounds half away from zero.
int128 divide_half_up(int128 a, int128 b) {
  const int128 half = b / 2;
  return a >= 0 ? (a + half) / b : (a - half) / b;
}

std::optional<std::int64_t> narrow(int128 v) {
  if (v > std::numeric_limits<std::int64_t>::max() || v < std::numeric_limits<std::int64_t>::min())
    return std::nullopt;
  return static_cast<std::int64_t>(v);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes `[-+]digits` as an exponent, capped at ±100,000; nothing when there are no digits.
std::optional<int> parse_exponent(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit))
    return std::nullopt;
  int v = 0;
  for (char c : text)
    v = std::min(100'000, v * 10 + (c - '0'));
  return negative ? -v : v;
}

/// The common form, digits with up to six places and no exponent, that can't overflow; nothing for any other.
std::optional<decimal> parse_plain(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  std::int64_t value = 0;
  std::size_t digits = 0;
  int places = -1;
  for (char c : text.substr(negative ? 1 : 0)) {
    if (c == '.' && places < 0) {
      places = 0;
    } else if (is_digit(c) && ++digits <= 12 && places < 6) {
      value = value * 10 + (c - '0');
      places += places >= 0 ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (digits == 0)
    return std::nullopt;
  value *= pow10(6 - std::max(places, 0));
  return decimal{negative ? -value : value};
}

} // namespace

std::optional<decimal> parse_decimal(std::string_view text) {
  if (const auto plain = parse_plain(text))
    return plain;
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  int exponent = 0;
  if (const auto e = text.find_first_of("eE"); e != std::string_view::npos) {
    const auto parsed = parse_exponent(text.substr(e + 1));
    if (!parsed)
      return std::nullopt;
    exponent = *parsed;
    text = text.substr(0, e);
  }
  std::string digits;
  std::size_t point = std::string_view::npos;
  for (char c : text) {
    if (c == '.' && point == std::string_view::npos)
      point = digits.size();
    else if (is_digit(c))
      digits.push_back(c);
    else
      return std::nullopt;
  }
  if (digits.empty())
    return std::nullopt;
  if (point == std::string_view::npos)
    point = digits.size();
  // The digit at index i stands for 10^(lead - 1 - i) units; six places below the point are kept.
  const auto lead = static_cast<std::int64_t>(point) + exponent;
  int128 value = 0;
  std::int64_t place = lead + 5;
  std::size_t i = 0;
  for (; i < digits.size() && place >= 0; ++i, --place) {
    value = value * 10 + (digits[i] - '0');
    if (value > std::numeric_limits<std::int64_t>::max())
      return std::nullopt;
  }
  for (; place >= 0 && value != 0; --place) {
    value *= 10;
    if (value > std::numeric_limits<std::int64_t>::max())
      return std::nullopt;
  }
  if (i < digits.size() && place == -1 && digits[i] >= '5')
    ++value;
  const auto micro = narrow(negative ? -value : value);
  return micro ? std::optional{decimal{*micro}} : std::nullopt;
}

std::string decimal::str() const {
  const bool negative = micro < 0;
  const auto magnitude = negative ? 0 - static_cast<std::uint64_t>(micro) : static_cast<std::uint64_t>(micro);
  auto out = (negative ? "-" : "") + std::to_string(magnitude / micro_per_unit);
  auto rest = magnitude % micro_per_unit;
  if (rest == 0)
    return out;
  auto places = std::to_string(rest);
  places.insert(0, 6 - places.size(), '0');
  places.erase(places.find_last_not_of('0') + 1);
  return out + "." + places;
}

std::optional<currency> parse_currency(std::string_view text) {
  if (text.size() != 3)
    return std::nullopt;
  currency out;
  for (std::size_t i = 0; i < 3; ++i) {
    char c = text[i];
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
    if (c < 'A' || c > 'Z')
      return std::nullopt;
    out.code[i] = c;
  }
  return out;
}

int minor_digits(currency c) {
  static constexpr std::string_view none[] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
                                              "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"};
  static constexpr std::string_view three[] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
  static constexpr std::string_view four[] = {"CLF", "UYW"};
  const std::string_view code(c.code.data(), 3);
  const auto among = [code](const auto& list) {
    return std::find(std::begin(list), std::end(list), code) != std::end(list);
  };
  return among(none) ? 0 : among(three) ? 3 : among(four) ? 4 : 2;
}

std::string money::amount() const {
  const int digits = minor_digits(unit);
  const bool negative = minor < 0;
  const auto magnitude = negative ? 0 - static_cast<std::uint64_t>(minor) : static_cast<std::uint64_t>(minor);
  auto out = std::to_string(magnitude);
  if (digits > 0) {
    const auto places = static_cast<std::size_t>(digits);
    if (out.size() <= places)
      out.insert(0, places + 1 - out.size(), '0');
    out.insert(out.size() - places, ".");
  }
  return negative ? "-" + out : out;
}

money to_money(decimal amount, currency unit) {
  const auto divisor = pow10(6 - minor_digits(unit));
  return {static_cast<std::int64_t>(divide_half_up(amount.micro, divisor)), unit};
}

std::optional<money> line_total(decimal price, decimal quantity, currency unit) {
  const int128 product = static_cast<int128>(price.micro) * quantity.micro;
  const auto minor =
      narrow(divide_half_up(product, static_cast<int128>(micro_per_unit) * pow10(6 - minor_digits(unit))));
  return minor ? std::optional{money{*minor, unit}} : std::nullopt;
}

} // namespace pulse
