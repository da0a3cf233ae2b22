// The mean of the last values at the same place in the season, moved by how the last season lay against its own.
#include <fmt/format.h>

#include "models/series/forecasters/add.hpp"

namespace pulse::series {

namespace {

class season_mean final : public forecaster {
public:
  /// `keep`: how much of the last season's move goes on.
  season_mean(std::size_t season, std::size_t seasons, double keep) : season_(season), seasons_(seasons), keep_(keep) {
  }

  std::vector<double> run(std::span<const double> past, std::size_t horizon) const override {
    double move = 0;
    if (keep_ > 0) {
      const auto before = past.first(past.size() - season_);
      for (std::size_t k = 0; k < season_; ++k)
        move += past[before.size() + k] - usual(before, k);
      move *= keep_ / static_cast<double>(season_);
    }
    std::vector<double> out(horizon);
    for (std::size_t k = 0; k < horizon; ++k)
      out[k] = usual(past, k) + move;
    return out;
  }

  std::string name() const override {
    return fmt::format("mean of the last {} seasons of {} points{}", seasons_, season_,
                       keep_ > 0 ? ", with level" : "");
  }

  std::size_t points_min() const override {
    return (seasons_ + (keep_ > 0 ? 1 : 0)) * season_;
  }

private:
  /// Mean over the seasons before `past` ends, at the place of its k-th successor.
  double usual(std::span<const double> past, std::size_t k) const {
    auto at = past.size() - season_ + k % season_;
    double sum = 0, n = 0;
    for (std::size_t s = 0; s < seasons_; ++s) {
      sum += past[at], ++n;
      if (at < season_)
        break;
      at -= season_;
    }
    return sum / n;
  }

  std::size_t season_;
  std::size_t seasons_;
  double keep_;
};

} // namespace

void add_season(forecasters& to, std::int64_t step_ms) {
  for (const auto season : seasons_of(step_ms))
    for (const std::size_t seasons : {1, 2, 4, 8})
      for (const auto keep : {0.0, 0.5, 1.0})
        to.push_back(std::make_unique<season_mean>(season, seasons, keep));
}

} // namespace pulse::series
