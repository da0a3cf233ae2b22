// Shape: how far the last m points are, as a whole, from the windows of m points before them; the third nearest counts,
// so that one earlier oddity does not excuse the next. Sums of squares by lag go along point by point (as in the
// streaming matrix profile of Yeh et al. 2016, without normalising each window: level and size matter here).
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "models/series/views/make.hpp"

namespace pulse::series {

namespace {

constexpr std::size_t lags_max = 1'500;
constexpr std::size_t nearest = 3;
/// Each lag's sum is taken anew after so many points, so that rounding does not pile up.
constexpr std::size_t refresh = 64;

class shape final : public view {
public:
  explicit shape(std::size_t points) : points_(points), sums_(lags_max + 1) {
    values_.reserve(2 * kept());
  }

  double observe(const reading& r) override {
    if (values_.size() == 2 * kept())
      values_.erase(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(values_.size() - kept()));
    values_.push_back(std::clamp(r.value, -1e50, 1e50));
    advance();
    ++seen_;
    std::array<double, nearest> best;
    best.fill(INFINITY);
    const auto n = values_.size();
    for (auto lag = points_; lag <= lags_max && lag + points_ <= n; ++lag)
      if (sums_[lag] < best.back()) {
        best.back() = sums_[lag];
        for (auto k = nearest - 1; k > 0 && best[k] < best[k - 1]; --k)
          std::swap(best[k], best[k - 1]);
      }
    return std::isinf(best.back()) ? 0 : std::sqrt(std::max(0.0, best.back()) / static_cast<double>(points_));
  }

private:
  std::size_t kept() const {
    return lags_max + points_ + 1;
  }

  void advance() {
    const auto last = values_.size() - 1;
    const auto top = std::min(lags_max, last);
    for (std::size_t lag = 1; lag <= top; ++lag) {
      const auto in = values_[last] - values_[last - lag];
      sums_[lag] += in * in;
      if (last >= points_ + lag) {
        const auto out = values_[last - points_] - values_[last - points_ - lag];
        sums_[lag] -= out * out;
      }
    }
    for (auto lag = 1 + seen_ % refresh; lag <= top; lag += refresh) {
      double sum = 0;
      for (std::size_t k = 0; k < points_ && k + lag <= last; ++k) {
        const auto d = values_[last - k] - values_[last - k - lag];
        sum += d * d;
      }
      sums_[lag] = sum;
    }
  }

  std::size_t points_;
  std::size_t seen_ = 0;
  std::vector<double> values_;
  /// By lag: sum over the last points of the squared distance to the point that much earlier.
  std::vector<double> sums_;
};

} // namespace

std::unique_ptr<view> make_shape_of(std::size_t points) {
  return std::make_unique<shape>(points);
}

} // namespace pulse::series
