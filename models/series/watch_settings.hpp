// What a tenant sets for the watch over its metrics: an immutable version, as rules are.
//
//   {"per_week":2,"orders_min":10,"sensitivity":1,
//    "metrics":{"revenue":{"direction":"down","sensitivity":1.5},"events":{"state":"off"}}}
//
// What is left out is as without a document.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/rules/lexer.hpp"
#include "models/series/watch.hpp"

namespace pulse::series {

/// Of control records that bring such versions. The slot only notes them: the watch reads them from the store.
inline constexpr std::string_view detectors_kind = "detectors";

inline constexpr std::size_t watch_settings_bytes_max = 64 * 1024;
inline constexpr std::int64_t per_week_max = 100;
inline constexpr std::int64_t orders_min_max = 1'000'000;
/// Of a sensitivity; its least is the inverse.
inline constexpr double sensitivity_max = 10;

/// Every problem of a document; none: it can be published.
std::vector<rules::problem> check_watch_settings(std::string_view document);

struct watch_settings {
  /// SHA-256 in hexadecimal of the canonical bytes.
  std::string id;
  /// Keys sorted, no blanks, nothing that is left out filled in.
  std::string canonical;
  watch_config config;

  /// Error: `invalid` with the first problem of check_watch_settings.
  static result<watch_settings> compile(std::string_view document);
};

} // namespace pulse::series
