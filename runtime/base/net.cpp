#include "base/net.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <netinet/in.h>

namespace pulse {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::vector<cidr> ranges(std::initializer_list<const char*> texts) {
  std::vector<cidr> out;
  for (const auto* text : texts)
    out.push_back(cidr::parse(text).value());
  return out;
}

} // namespace

bool ip_address::is_v4() const {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
}

std::string ip_address::str() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_v4())
    inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
  else
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

result<ip_address> ip_address::parse(std::string_view text) {
  ip_address out;
  const std::string z(text);
  if (z.size() == text.size() && inet_pton(AF_INET6, z.c_str(), out.bytes.data()) == 1)
    return out;
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.bytes.begin());
  if (inet_pton(AF_INET, z.c_str(), out.bytes.data() + 12) == 1)
    return out;
  return error{ec::malformed, "not an IP address: " + z, ""};
}

result<ip_address> ip_address::from(const sockaddr& address) {
  ip_address out;
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.bytes.begin());
    std::memcpy(out.bytes.data() + 12, &v4.sin_addr, 4);
    return out;
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    std::memcpy(out.bytes.data(), &v6.sin6_addr, 16);
    return out;
  }
  return error{ec::unsupported, "not an internet address", ""};
}

bool cidr::contains(const ip_address& address) const {
  // Without this a range of IPv6 such as ::/0 would take in all of IPv4 through its mapped form.
  if (address.is_v4() != base.is_v4())
    return false;
  for (int i = 0; i < bits; i += 8) {
    const auto at = static_cast<std::size_t>(i / 8);
    const int left = std::min(8, bits - i);
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - left));
    if ((address.bytes[at] & mask) != (base.bytes[at] & mask))
      return false;
  }
  return true;
}

result<cidr> cidr::parse(std::string_view text) {
  const auto bad = error{ec::malformed, "not an address range such as 10.0.0.0/8: " + std::string(text), ""};
  const auto slash = text.find('/');
  auto address = ip_address::parse(text.substr(0, slash));
  if (!address)
    return bad;
  const bool v4 = address->is_v4() && text.find(':') == std::string_view::npos;
  cidr out{*address, 128};
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    int n = -1;
    const auto [end, e] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (e != std::errc{} || end != digits.data() + digits.size() || n < 0 || n > (v4 ? 32 : 128))
      return bad;
    out.bits = v4 ? 96 + n : n;
  }
  for (int i = out.bits; i < 128; ++i)
    if ((out.base.bytes[static_cast<std::size_t>(i / 8)] >> (7 - i % 8) & 1) != 0)
      return bad;
  return out;
}

result<std::vector<cidr>> parse_cidrs(std::string_view text) {
  std::vector<cidr> out;
  while (!text.empty()) {
    const auto end = text.find_first_of(", \t\n");
    if (const auto part = text.substr(0, end); !part.empty()) {
      auto range = cidr::parse(part);
      if (!range)
        return range.err();
      out.push_back(*range);
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

bool contains(std::span<const cidr> list, const ip_address& address) {
  return std::any_of(list.begin(), list.end(), [&](const cidr& range) { return range.contains(address); });
}

bool is_public(const ip_address& address) {
  static const auto closed_v4 =
      ranges({"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
              "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
              "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"});
  static const auto open_v6 = cidr::parse("2000::/3").value();
  // 2001::/23 holds Teredo and ORCHID; 2002::/16 is 6to4, which would smuggle an IPv4 address.
  static const auto closed_v6 = ranges({"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"});
  if (address.is_v4())
    return !contains(closed_v4, address);
  return open_v6.contains(address) && !contains(closed_v6, address);
}

} // namespace pulse
