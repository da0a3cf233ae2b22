// Internet addresses and ranges of them: whom a forwarded address is believed from, and where a webhook may go.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

struct sockaddr;

namespace pulse {

/// An IPv4 or IPv6 address. IPv4 is held as its mapped form (::ffff:a.b.c.d), so that both spellings of one
/// address are equal and no check can be passed by writing it the other way.
struct ip_address {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const ip_address&) const = default;

  bool is_v4() const;
  /// Shortest form: `203.0.113.9`, `2001:db8::1`.
  std::string str() const;

  /// Dotted quad or RFC 4291 text, without port, zone or brackets; `malformed` for anything else.
  static result<ip_address> parse(std::string_view text);
  /// `unsupported` for other families than AF_INET and AF_INET6.
  static result<ip_address> from(const sockaddr& address);
};

struct cidr {
  ip_address base;
  /// Fixed bits of the 128; an IPv4 range has at least 96.
  int bits = 128;

  bool contains(const ip_address& address) const;

  /// `10.0.0.0/8`, `fd00::/8`, or one address; `malformed` otherwise, also when bits outside the mask are set.
  static result<cidr> parse(std::string_view text);
};

/// Reads a list parted by commas and blanks; the first bad entry is the error.
result<std::vector<cidr>> parse_cidrs(std::string_view text);

bool contains(std::span<const cidr> ranges, const ip_address& address);

/// True for an address of the public internet: global unicast, without what IANA's special-purpose registries
/// (RFC 6890) keep for private, loopback, link-local, shared, benchmark, documentation, transition and multicast use.
bool is_public(const ip_address& address);

} // namespace pulse
