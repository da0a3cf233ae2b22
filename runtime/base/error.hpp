// Errors as values: one enum of codes, one struct, one result type. Every layer speaks these; exceptions
// of libraries end in the adapter that called them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/assert.hpp"

namespace pulse {

enum class ec : std::uint8_t {
  /// The bytes do not follow the format they claim (JSON, CSV, model file).
  malformed,
  /// Well-formed and wrong: a value outside what is allowed.
  invalid,
  /// No such thing, or not this tenant's.
  not_found,
  /// Exists already, or was changed by somebody else meanwhile.
  conflict,
  /// No key, or one that is not known.
  unauthorized,
  /// The key has not the scope.
  forbidden,
  /// Larger than its limit.
  too_large,
  /// Over the tenant's rate.
  rate_limited,
  /// A dependency is away or full; the same call may work later.
  unavailable,
  /// Took longer than its limit; the outcome is unknown.
  timeout,
  /// No room left on the disk below the limit.
  no_space,
  /// A newer owner holds this; stop writing.
  fenced,
  /// Stored data that cannot be right.
  corrupt,
  /// A content type or encoding that is not taken.
  unsupported,
  /// A fault of the program itself.
  internal,
};

/// Stable lower-case name, as it stands in logs and answers.
std::string_view to_string(ec code);

/// True when the same call may succeed later without anybody changing anything.
bool is_retryable(ec code);

/// The HTTP status an error is answered with.
int http_status(ec code);

struct error {
  ec code = ec::internal;
  /// What happened, where, and what to do, for a person.
  std::string detail;
  /// JSON pointer or path of the place, where there is one.
  std::string pointer;
};

/// Either a value or an error. `value()` on an error is a fault of the caller and ends the program.
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : data_(std::in_place_index<0>, std::move(value)) {
  }

  result(error e) : data_(std::in_place_index<1>, std::move(e)) {
  }

  explicit operator bool() const noexcept {
    return data_.index() == 0;
  }

  bool ok() const noexcept {
    return data_.index() == 0;
  }

  T& value() & {
    PULSE_ASSERT(ok(), "value() of a failed result");
    return std::get<0>(data_);
  }

  const T& value() const& {
    PULSE_ASSERT(ok(), "value() of a failed result");
    return std::get<0>(data_);
  }

  T&& value() && {
    PULSE_ASSERT(ok(), "value() of a failed result");
    return std::get<0>(std::move(data_));
  }

  T& operator*() & {
    return value();
  }

  const T& operator*() const& {
    return value();
  }

  T&& operator*() && {
    return std::move(*this).value();
  }

  T* operator->() {
    return &value();
  }

  const T* operator->() const {
    return &value();
  }

  const error& err() const {
    PULSE_ASSERT(!ok(), "err() of a good result");
    return std::get<1>(data_);
  }

private:
  std::variant<T, error> data_;
};

template <>
class [[nodiscard]] result<void> {
public:
  result() = default;

  result(error e) : error_(std::move(e)) {
  }

  explicit operator bool() const noexcept {
    return !error_.has_value();
  }

  bool ok() const noexcept {
    return !error_.has_value();
  }

  const error& err() const {
    PULSE_ASSERT(error_.has_value(), "err() of a good result");
    return *error_;
  }

private:
  std::optional<error> error_;
};

} // namespace pulse
