// Little-endian bytes for versioned binary formats (model files, chunk images): a writer, and a reader that never
// reads past its end and turns every later read into a refusal, so that a broken file is one check, not many.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.hpp"

namespace pulse::binary {

static_assert(std::endian::native == std::endian::little, "the formats are written as they lie in memory");

class writer {
public:
  /// Integers and floating point numbers as they lie in memory, little-endian.
  template <class T>
  requires std::is_arithmetic_v<T>
  void put(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes_.append(raw, sizeof(T));
  }

  /// LEB128: seven bits a byte, lowest first.
  void put_varint(std::uint64_t value);
  /// Its length as varint, then the bytes.
  void put_text(std::string_view text);

  void put_raw(std::string_view raw) {
    bytes_.append(raw);
  }

  const std::string& bytes() const {
    return bytes_;
  }

  std::string take() && {
    return std::move(bytes_);
  }

private:
  std::string bytes_;
};

class reader {
public:
  explicit reader(std::string_view bytes) : bytes_(bytes) {
  }

  /// Zero when the bytes do not reach; `ok()` says so afterwards.
  template <class T>
  requires std::is_arithmetic_v<T> T get() {
    T value{};
    if (bytes_.size() < sizeof(T)) {
      fail();
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return value;
  }

  std::uint64_t get_varint();
  std::string_view get_text();
  std::string_view get_raw(std::size_t size);

  /// A varint that counts things of at least `bytes_each` bytes: refused when so many cannot follow.
  std::size_t get_count(std::size_t bytes_each = 1);

  bool ok() const {
    return ok_;
  }

  bool at_end() const {
    return bytes_.empty();
  }

  std::size_t left() const {
    return bytes_.size();
  }

private:
  void fail() {
    ok_ = false;
    bytes_ = {};
  }

  std::string_view bytes_;
  bool ok_ = true;
};

/// `magic`, version, payload, then the first 16 bytes of the SHA-256 of all before.
std::string seal(std::string_view magic, std::uint16_t version, std::string_view payload);

/// The payload of what `seal` wrote. Errors: `corrupt` with the reason (too short, another format, another
/// version, checksum).
result<std::string_view> unseal(std::string_view magic, std::uint16_t version, std::string_view bytes);

} // namespace pulse::binary
