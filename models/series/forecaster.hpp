// A forecaster says from the past of an even series what the next values are. predict() lets them compete on the
// series' own past. A new one is one file in forecasters/ and one line in forecasters.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pulse::series {

class forecaster {
public:
  virtual ~forecaster() = default;

  /// The next `horizon` values after `past`, which has points_min() values at least.
  virtual std::vector<double> run(std::span<const double> past, std::size_t horizon) const = 0;
  virtual std::string name() const = 0;
  virtual std::size_t points_min() const = 0;
};

using forecasters = std::vector<std::unique_ptr<forecaster>>;

/// Adds the variants that make sense for a series of that step.
struct forecaster_entry {
  std::string_view name;
  void (*add)(forecasters& to, std::int64_t step_ms);
};

std::span<const forecaster_entry> forecaster_register();

/// Points of a day and of a week at that step, where they are whole numbers above 1.
std::vector<std::size_t> seasons_of(std::int64_t step_ms);

} // namespace pulse::series
