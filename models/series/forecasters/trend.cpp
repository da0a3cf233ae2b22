// Level and damped trend by exponential smoothing (Gardner, McKenzie 1985), on what is left when the mean of each place
// in the season is taken away.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "models/series/forecasters/add.hpp"

namespace pulse::series {

namespace {

constexpr double damping = 0.9;
/// Points that are smoothed over; older ones have no weight left.
constexpr std::size_t points_max = 2'000;

class trend final : public forecaster {
public:
  /// `alpha` for the level, `beta` for the trend (0: none); season 1: none.
  trend(std::size_t season, double alpha, double beta) : season_(season), alpha_(alpha), beta_(beta) {
  }

  std::vector<double> run(std::span<const double> past, std::size_t horizon) const override {
    past = past.last(std::min(past.size(), std::max(points_max, 4 * season_)));
    const auto n = past.size();
    std::vector<double> usual(season_), count(season_);
    for (std::size_t back = 0; season_ > 1 && back < std::min(n, 8 * season_); ++back) {
      const auto place = (season_ - 1 - back % season_);
      usual[place] += past[n - 1 - back], ++count[place];
    }
    for (std::size_t i = 0; i < season_; ++i)
      usual[i] /= std::max(1.0, count[i]);
    const auto place = [&](std::size_t i) {
      return (i + season_ * n - n) % season_;
    };
    double level = past[0] - usual[place(0)], slope = 0;
    for (std::size_t i = 1; i < n; ++i) {
      const auto before = level;
      level += damping * slope + alpha_ * (past[i] - usual[place(i)] - level - damping * slope);
      slope = damping * slope + beta_ * (level - before - damping * slope);
    }
    std::vector<double> out(horizon);
    double ahead = 0, weight = 1;
    for (std::size_t k = 0; k < horizon; ++k) {
      ahead += (weight *= damping) * slope;
      out[k] = level + ahead + usual[k % season_];
    }
    return out;
  }

  std::string name() const override {
    return fmt::format("smoothed level{}{}", beta_ > 0 ? " and damped trend" : "",
                       season_ > 1 ? fmt::format(", season of {} points", season_) : "");
  }

  std::size_t points_min() const override {
    // From fewer a slope is what the last two points happened to do.
    return season_ > 1 ? 2 * season_ : beta_ > 0 ? 8 : 3;
  }

private:
  std::size_t season_;
  double alpha_, beta_;
};

} // namespace

void add_trend(forecasters& to, std::int64_t step_ms) {
  auto seasons = seasons_of(step_ms);
  seasons.insert(seasons.begin(), 1);
  for (const auto season : seasons) {
    for (const auto alpha : {0.02, 0.1, 0.3})
      for (const auto beta : {0.0, 0.1})
        to.push_back(std::make_unique<trend>(season, alpha, beta));
    // For what grows steadily: the slower ones lag behind by more than a step.
    to.push_back(std::make_unique<trend>(season, 0.6, 0.3));
  }
}

} // namespace pulse::series
