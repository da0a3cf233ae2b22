// Country by address, from the two text files of Debian's tor-geoipdb (a build of IPFire's location data base). The
// bytes come from the caller; the table is two sorted arrays.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pulse {

class geo_table {
public:
  /// `v4` has lines `low,high,CC` with addresses as decimal numbers, `v6` the same with addresses in text; `#` begins a
  /// comment. Error: `malformed` with the number of the line.
  static result<geo_table> load(std::string_view v4, std::string_view v6);

  /// ISO 3166 code, two capital letters; empty for an address that is none or is in no range. An IPv4 address in
  /// IPv6's clothes (::ffff:a.b.c.d) is looked up as the former.
  std::string find(std::string_view address) const;

  std::size_t size() const {
    return v4_.size() + v6_.size();
  }

private:
  using address6 = std::array<std::uint8_t, 16>;
  using country = std::array<char, 2>;

  struct range4 {
    std::uint32_t low;
    std::uint32_t high;
    country code;
  };

  struct range6 {
    address6 low;
    address6 high;
    country code;
  };

  result<void> add4(std::string_view low, std::string_view high, country code);
  result<void> add6(std::string_view low, std::string_view high, country code);

  std::vector<range4> v4_;
  std::vector<range6> v6_;
};

} // namespace pulse
