// A view is one way of looking at a metric series: it reads point by point and says how odd each one is, on a scale of
// its own. The detector judges that by the view's own past. A new view is one file in views/ and one line in views.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace pulse::series {

/// A point with what the baseline made of it.
struct reading {
  /// Wall clock of the store's zone.
  time_ms at;
  double value = 0;
  double expected = 0;
  /// value - expected, in its usual size.
  double residual = 0;
  /// The value without its season, and the usual size of a residual.
  double deseasoned = 0;
  double scale = 1;
  std::int64_t step_ms = 0;
};

class view {
public:
  virtual ~view() = default;

  /// How odd the point is, from 0; then takes it in. Never looks ahead; bounded work and memory.
  virtual double observe(const reading& r) = 0;
};

struct view_entry {
  std::string_view name;
  /// Says what an alarm by it means.
  std::string_view reason;
  /// Part of the default bundle.
  bool bundled;
  std::unique_ptr<view> (*make)();
};

/// All there are, in a fixed order.
std::span<const view_entry> views();

/// Null where there is none of that name.
const view_entry* find_view(std::string_view name);

} // namespace pulse::series
