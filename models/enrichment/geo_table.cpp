#include "models/enrichment/geo_table.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace pulse {

namespace {

const error bad_range{ec::malformed, "not an address range", ""};

bool to_bytes(int family, std::string_view text, std::uint8_t* out) {
  // The longest address has 45 characters.
  char copy[64] = {};
  if (text.empty() || text.size() >= sizeof copy)
    return false;
  std::memcpy(copy, text.data(), text.size());
  return inet_pton(family, copy, out) == 1;
}

bool to_number(std::string_view text, std::uint32_t& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc{} && end == text.data() + text.size();
}

template <class Range, class Address>
const Range* find_in(const std::vector<Range>& ranges, const Address& address) {
  auto at = std::upper_bound(ranges.begin(), ranges.end(), address,
                             [](const Address& a, const Range& r) { return a < r.low; });
  if (at == ranges.begin())
    return nullptr;
  --at;
  return address <= at->high ? &*at : nullptr;
}

/// Calls `add(low, high, code)` for every line that is no comment.
template <class Add>
result<void> each_line(std::string_view file, std::string_view name, Add add) {
  std::size_t number = 0;
  while (!file.empty()) {
    ++number;
    const auto stop = std::min(file.find('\n'), file.size());
    const auto line = file.substr(0, stop);
    file.remove_prefix(std::min(stop + 1, file.size()));
    if (line.empty() || line[0] == '#')
      continue;
    const auto first = line.find(',');
    const auto second = line.find(',', first + 1);
    const bool shaped =
        first != std::string_view::npos && second != std::string_view::npos && line.size() >= second + 3;
    if (!shaped || !add(line.substr(0, first), line.substr(first + 1, second - first - 1),
                        std::array{line[second + 1], line[second + 2]}))
      return error{ec::malformed, fmt::format("line {} of {} is no range `low,high,CC`", number, name), ""};
  }
  return {};
}

} // namespace

result<void> geo_table::add4(std::string_view low, std::string_view high, country code) {
  range4 r{0, 0, code};
  if (!to_number(low, r.low) || !to_number(high, r.high))
    return bad_range;
  v4_.push_back(r);
  return {};
}

result<void> geo_table::add6(std::string_view low, std::string_view high, country code) {
  range6 r{{}, {}, code};
  if (!to_bytes(AF_INET6, low, r.low.data()) || !to_bytes(AF_INET6, high, r.high.data()))
    return bad_range;
  v6_.push_back(r);
  return {};
}

result<geo_table> geo_table::load(std::string_view v4, std::string_view v6) {
  geo_table out;
  const auto first =
      each_line(v4, "geoip", [&](auto low, auto high, auto code) { return out.add4(low, high, code).ok(); });
  if (!first)
    return first.err();
  const auto second =
      each_line(v6, "geoip6", [&](auto low, auto high, auto code) { return out.add6(low, high, code).ok(); });
  if (!second)
    return second.err();
  std::sort(out.v4_.begin(), out.v4_.end(), [](const auto& a, const auto& b) { return a.low < b.low; });
  std::sort(out.v6_.begin(), out.v6_.end(), [](const auto& a, const auto& b) { return a.low < b.low; });
  out.v4_.shrink_to_fit();
  out.v6_.shrink_to_fit();
  return out;
}

std::string geo_table::find(std::string_view address) const {
  const auto named = [](const auto* range) {
    return range == nullptr || range->code[0] == '?' ? std::string{} : std::string(range->code.data(), 2);
  };
  const auto find4 = [&](const std::uint8_t* b) {
    const auto n = static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 |
                   static_cast<std::uint32_t>(b[2]) << 8 | b[3];
    return named(find_in(v4_, n));
  };
  address6 bytes{};
  if (to_bytes(AF_INET, address, bytes.data()))
    return find4(bytes.data());
  if (!to_bytes(AF_INET6, address, bytes.data()))
    return {};
  static constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(std::begin(mapped), std::end(mapped), bytes.begin()))
    return find4(bytes.data() + 12);
  return named(find_in(v6_, bytes));
}

} // namespace pulse
