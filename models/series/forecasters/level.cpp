// The mean of the last points, for each step ahead the same.
#include <numeric>

#include <fmt/format.h>

#include "models/series/forecasters/add.hpp"

namespace pulse::series {

namespace {

class level final : public forecaster {
public:
  explicit level(std::size_t points) : points_(points) {
  }

  std::vector<double> run(std::span<const double> past, std::size_t horizon) const override {
    const auto last = past.last(points_);
    return std::vector<double>(horizon, std::accumulate(last.begin(), last.end(), 0.0) / static_cast<double>(points_));
  }

  std::string name() const override {
    return fmt::format("mean of the last {} points", points_);
  }

  std::size_t points_min() const override {
    return points_;
  }

private:
  std::size_t points_;
};

} // namespace

void add_level(forecasters& to, std::int64_t) {
  for (const std::size_t points : {1, 3, 7, 24})
    to.push_back(std::make_unique<level>(points));
}

} // namespace pulse::series
