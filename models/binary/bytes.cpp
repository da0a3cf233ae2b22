// See bytes.hpp.
#include "models/binary/bytes.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"

namespace pulse::binary {

namespace {

constexpr std::size_t checksum_bytes = 16;

std::string_view checksum(const digest& d) {
  return {reinterpret_cast<const char*>(d.data()), checksum_bytes};
}

} // namespace

void writer::put_varint(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<char>(value));
}

void writer::put_text(std::string_view text) {
  put_varint(text.size());
  bytes_.append(text);
}

std::uint64_t reader::get_varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = get<std::uint8_t>();
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0)
      return value;
  }
  fail();
  return 0;
}

std::string_view reader::get_text() {
  return get_raw(get_count());
}

std::string_view reader::get_raw(std::size_t size) {
  if (bytes_.size() < size) {
    fail();
    return {};
  }
  auto out = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return out;
}

std::size_t reader::get_count(std::size_t bytes_each) {
  const auto count = get_varint();
  if (count > bytes_.size() / bytes_each) {
    fail();
    return 0;
  }
  return static_cast<std::size_t>(count);
}

std::string seal(std::string_view magic, std::uint16_t version, std::string_view payload) {
  writer out;
  out.put_raw(magic);
  out.put(version);
  out.put_raw(payload);
  const auto sum = sha256(out.bytes());
  out.put_raw(checksum(sum));
  return std::move(out).take();
}

result<std::string_view> unseal(std::string_view magic, std::uint16_t version, std::string_view bytes) {
  const auto refuse = [](std::string why) {
    return error{ec::corrupt, std::move(why), {}};
  };
  if (bytes.substr(0, magic.size()) != magic)
    return refuse(fmt::format("does not begin with {}", magic));
  if (bytes.size() < magic.size() + sizeof(version) + checksum_bytes)
    return refuse(fmt::format("cut off after {} bytes", bytes.size()));
  reader in(bytes.substr(magic.size()));
  if (const auto found = in.get<std::uint16_t>(); found != version)
    return refuse(fmt::format("has format version {}, this program reads {}", found, version));
  const auto body = bytes.substr(0, bytes.size() - checksum_bytes);
  if (checksum(sha256(body)) != bytes.substr(body.size()))
    return refuse("checksum does not match: cut off or changed");
  return body.substr(magic.size() + sizeof(version));
}

} // namespace pulse::binary
