// Views without a season: off the line through the last points (poly), and outside the values seen so far (range).
#include <algorithm>
#include <array>
#include <cmath>

#include "models/series/baseline.hpp"
#include "models/series/own_past.hpp"
#include "models/series/views/make.hpp"

namespace pulse::series {

namespace {

/// One step ahead of the least-squares line through the last 6 points.
class poly final : public view {
public:
  double observe(const reading& r) override {
    const auto x = std::clamp(r.value, -1e100, 1e100);
    double out = 0;
    if (seen_ >= last_.size()) {
      const auto next = line();
      const auto size = std::abs(x - next);
      if (seen_ < last_.size() + 4)
        scale_ = std::max(scale_, size);
      const auto scale = std::max(scale_, 1e-3 * std::abs(next) + 1e-9);
      out = size / scale;
      scale_ += half_life_weight(200) * (std::min(size, 4 * scale) - scale_);
    }
    std::rotate(last_.begin(), last_.begin() + 1, last_.end());
    last_.back() = x;
    ++seen_;
    return out;
  }

private:
  double line() const {
    const auto n = static_cast<double>(last_.size());
    double mean = 0, slope = 0, width = 0;
    for (auto x : last_)
      mean += x / n;
    for (std::size_t i = 0; i < last_.size(); ++i) {
      const auto place = static_cast<double>(i) - (n - 1) / 2;
      slope += place * (last_[i] - mean);
      width += place * place;
    }
    return mean + slope / width * (n + 1) / 2;
  }

  std::array<double, 6> last_{};
  std::size_t seen_ = 0;
  double scale_ = 0;
};

/// Distance from the median, in the width of the middle 80 %.
class range final : public view {
public:
  double observe(const reading& r) override {
    double out = 0;
    if (past_.values().size() >= 20) {
      const auto middle = past_.quantile(0.5);
      const auto width = std::max(past_.quantile(0.9) - past_.quantile(0.1), 1e-3 * std::abs(middle) + 1e-9);
      out = std::abs(r.value - middle) / width;
    }
    past_.add(r.value);
    return out;
  }

private:
  sorted_past past_{4'000};
};

} // namespace

std::unique_ptr<view> make_poly() {
  return std::make_unique<poly>();
}

std::unique_ptr<view> make_range() {
  return std::make_unique<range>();
}

} // namespace pulse::series
