// Strong ids: distinct types that do not convert into each other. Cheap to copy, ordered, hashable.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pulse {

template <class Tag, class Rep>
struct strong_id {
  using rep = Rep;

  Rep value{};

  constexpr strong_id() = default;

  constexpr explicit strong_id(Rep v) : value(v) {
  }

  constexpr auto operator<=>(const strong_id&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, strong_id& x) {
    return f.object(x).fields(f.field("value", x.value));
  }
};

using tenant_id = strong_id<struct tenant_tag, std::int32_t>;
using slot_id = strong_id<struct slot_tag, std::int32_t>;
/// Position of a record in one slot of the raw log, from 0 without gaps.
using log_offset = strong_id<struct log_offset_tag, std::int64_t>;
/// Number of an ownership; the highest one is the valid owner.
using epoch = strong_id<struct epoch_tag, std::int64_t>;
/// Identity of a log's life: a re-made log starts a new one.
using log_generation = strong_id<struct generation_tag, std::int64_t>;

/// 16 bytes in big-endian order, so that byte order is time order for ids of version 7.
struct uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const uuid&) const = default;

  /// 8-4-4-4-12 lower-case hexadecimal.
  std::string str() const;
  static result<uuid> parse(std::string_view text);

  bool is_nil() const {
    return *this == uuid{};
  }
};

struct event_id {
  uuid value;

  auto operator<=>(const event_id&) const = default;

  std::string str() const {
    return value.str();
  }

  /// The 48 bits of milliseconds since 1970 in front.
  std::int64_t unix_ms() const;
};

/// W3C trace context: 16 random bytes that go with an event from HTTP to the webhook.
struct trace_id {
  uuid value;

  auto operator<=>(const trace_id&) const = default;

  /// 32 lower-case hexadecimal digits, as in `traceparent`.
  std::string hex() const;
};

} // namespace pulse

template <class Tag, class Rep>
struct std::hash<pulse::strong_id<Tag, Rep>> {
  std::size_t operator()(pulse::strong_id<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};

template <>
struct std::hash<pulse::uuid> {
  std::size_t operator()(const pulse::uuid& id) const noexcept {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::memcpy(&a, id.bytes.data(), 8);
    std::memcpy(&b, id.bytes.data() + 8, 8);
    return static_cast<std::size_t>(a * 0x9e3779b97f4a7c15ULL ^ b);
  }
};

template <>
struct std::hash<pulse::event_id> {
  std::size_t operator()(const pulse::event_id& id) const noexcept {
    return std::hash<pulse::uuid>{}(id.value);
  }
};
