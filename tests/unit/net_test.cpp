// Addresses and ranges: one address in two spellings is one address, and only the public internet is public.
#include <catch2/catch_test_macros.hpp>

#include "base/net.hpp"

using namespace pulse;

TEST_CASE("an IPv4 address and its mapped form are equal", "[net]") {
  const auto v4 = ip_address::parse("203.0.113.9").value();
  CHECK(v4 == ip_address::parse("::ffff:203.0.113.9").value());
  CHECK(v4 == ip_address::parse("::ffff:cb00:7109").value());
  CHECK(v4.str() == "203.0.113.9");
  CHECK(ip_address::parse("2001:DB8::1").value().str() == "2001:db8::1");
  for (auto bad : {"", "1.2.3", "1.2.3.4:80", "[::1]", "fe80::1%eth0", "0x7f.0.0.1", "256.1.1.1", "localhost"})
    CHECK_FALSE(ip_address::parse(bad).ok());
}

TEST_CASE("a range holds its addresses and no others", "[net]") {
  const auto range = cidr::parse("10.1.0.0/17").value();
  CHECK(range.contains(ip_address::parse("10.1.127.255").value()));
  CHECK(range.contains(ip_address::parse("::ffff:10.1.0.1").value()));
  CHECK_FALSE(range.contains(ip_address::parse("10.1.128.0").value()));
  CHECK_FALSE(cidr::parse("::/0").value().contains(ip_address::parse("10.0.0.1").value()));
  CHECK(cidr::parse("0.0.0.0/0").value().contains(ip_address::parse("10.0.0.1").value()));
  CHECK(cidr::parse("127.0.0.1").value().contains(ip_address::parse("127.0.0.1").value()));
  for (auto bad : {"10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/-1", "fd00::/129", "x/8", ""})
    CHECK_FALSE(cidr::parse(bad).ok());
  CHECK(parse_cidrs("10.0.0.0/8, fd00::/8  127.0.0.1").value().size() == 3);
  CHECK(parse_cidrs("").value().empty());
  CHECK_FALSE(parse_cidrs("10.0.0.0/8,nonsense").ok());
}

TEST_CASE("private, local and special addresses are not public", "[net][f:8.4]") {
  for (auto closed : {"0.0.0.0",     "10.255.0.1",  "100.64.0.1",       "127.0.0.2",       "169.254.169.254",
                      "172.31.0.1",  "192.168.1.1", "198.18.0.1",       "224.0.0.1",       "255.255.255.255",
                      "::",          "::1",         "::ffff:127.0.0.1", "::ffff:a00:1",    "fe80::1",
                      "fd12::1",     "fc00::1",     "ff02::1",          "64:ff9b::7f00:1", "2002:7f00:1::",
                      "2001:db8::1", "::127.0.0.1", "fec0::1",          "2001::1",         "100::1"})
    CHECK_FALSE(is_public(ip_address::parse(closed).value()));
  for (auto open : {"1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"})
    CHECK(is_public(ip_address::parse(open).value()));
}
