// Views on the residual and the level: residual, shift, spread, drift.
#include <algorithm>
#include <cmath>
#include <deque>

#include "models/series/baseline.hpp"
#include "models/series/views/make.hpp"

namespace pulse::series {

namespace {

void blend(double& mean, double x, double half_life) {
  mean += half_life_weight(half_life) * (x - mean);
}

class residual final : public view {
public:
  double observe(const reading& r) override {
    return std::abs(r.residual);
  }
};

/// The level of the last points against that of the last days.
class shift final : public view {
public:
  double observe(const reading& r) override {
    if (seen_ < 4)
      fast_ = slow_ = r.deseasoned, ++seen_;
    blend(fast_, r.deseasoned, 6);
    blend(slow_, r.deseasoned, 400);
    return std::abs(fast_ - slow_) / r.scale;
  }

private:
  int seen_ = 0;
  double fast_ = 0, slow_ = 0;
};

/// The size of the last residuals against that of the last days'.
class spread final : public view {
public:
  double observe(const reading& r) override {
    const auto size = std::abs(r.residual * r.scale), floor = 1e-9 + 1e-3 * std::abs(r.expected);
    if (seen_ < 4)
      fast_ = slow_ = size, ++seen_;
    blend(fast_, std::min(size, 8 * r.scale), 24);
    blend(slow_, std::min(size, 8 * r.scale), 400);
    return std::abs(std::log((fast_ + floor) / (slow_ + floor)));
  }

private:
  int seen_ = 0;
  double fast_ = 0, slow_ = 0;
};

/// Mean of the last 24 residuals.
class drift final : public view {
public:
  double observe(const reading& r) override {
    last_.push_back(std::clamp(r.residual, -8.0, 8.0));
    if (last_.size() > points)
      last_.pop_front();
    double sum = 0;
    for (auto x : last_)
      sum += x;
    return std::abs(sum) / static_cast<double>(points);
  }

private:
  static constexpr std::size_t points = 24;
  std::deque<double> last_;
};

} // namespace

std::unique_ptr<view> make_residual() {
  return std::make_unique<residual>();
}

std::unique_ptr<view> make_shift() {
  return std::make_unique<shift>();
}

std::unique_ptr<view> make_spread() {
  return std::make_unique<spread>();
}

std::unique_ptr<view> make_drift() {
  return std::make_unique<drift>();
}

} // namespace pulse::series
