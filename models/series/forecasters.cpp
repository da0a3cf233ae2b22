// The register of forecasters (see forecaster.hpp): one line each.
#include "models/series/forecaster.hpp"

#include <array>

#include "base/time.hpp"
#include "models/series/forecasters/add.hpp"

namespace pulse::series {

namespace {

constexpr std::array entries{
    forecaster_entry{"level", add_level},
    forecaster_entry{"season", add_season},
    forecaster_entry{"trend", add_trend},
};

} // namespace

std::span<const forecaster_entry> forecaster_register() {
  return entries;
}

std::vector<std::size_t> seasons_of(std::int64_t step_ms) {
  std::vector<std::size_t> out;
  for (const auto period : {day_ms, 7 * day_ms})
    if (period % step_ms == 0 && period / step_ms > 1)
      out.push_back(static_cast<std::size_t>(period / step_ms));
  return out;
}

} // namespace pulse::series
