// The classical views, one at a time by name: median deviations by hour of week, z-score, quartiles, counts, forest.
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "models/detection/model.hpp"
#include "models/series/bands.hpp"
#include "models/series/baseline.hpp"
#include "models/series/own_past.hpp"
#include "models/series/views/make.hpp"

namespace pulse::series {

namespace {

/// The last values by hour of week; while an hour of the week has too few, those of the hour of day stand in.
class by_hour {
public:
  by_hour() : week_(168), day_(24) {
  }

  const std::vector<double>& at(time_ms t) const {
    const auto& own = week_[hour(t, 168)];
    return own.size() >= visits_min ? own : day_[hour(t, 24)];
  }

  void add(time_ms t, double x) {
    keep(week_[hour(t, 168)], x);
    keep(day_[hour(t, 24)], x);
  }

private:
  static constexpr std::size_t visits_min = 6;
  static constexpr std::size_t visits_max = 48;

  static std::size_t hour(time_ms t, std::int64_t hours) {
    return static_cast<std::size_t>((t.value / hour_ms % hours + hours) % hours);
  }

  static void keep(std::vector<double>& values, double x) {
    if (values.size() == visits_max)
      values.erase(values.begin());
    values.push_back(x);
  }

  std::vector<std::vector<double>> week_, day_;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class mad final : public view {
public:
  double observe(const reading& r) override {
    double out = 0;
    if (auto past = usual_.at(r.at); past.size() >= 3) {
      const auto middle = median(past);
      for (auto& x : past)
        x = std::abs(x - middle);
      out = std::abs(r.value - middle) / std::max(1.4826 * median(past), 1e-2 * std::abs(middle) + 1e-9);
    }
    usual_.add(r.at, r.value);
    return out;
  }

private:
  by_hour usual_;
};

class z_score final : public view {
public:
  double observe(const reading& r) override {
    const auto w = half_life_weight(3 * points_per_day(r.step_ms));
    const auto d = r.deseasoned - mean_;
    const auto out = seen_ < 30 ? 0 : std::abs(d) / std::max(std::sqrt(variance_), 1e-3 * std::abs(mean_) + 1e-9);
    const auto share = std::max(w, 1 / static_cast<double>(++seen_));
    mean_ += share * d;
    variance_ += share * ((1 - share) * d * d - variance_);
    return out;
  }

private:
  double mean_ = 0, variance_ = 0;
  std::size_t seen_ = 0;
};

/// Tukey's fences: distance beyond the quartiles in widths between them.
class iqr final : public view {
public:
  double observe(const reading& r) override {
    double out = 0;
    if (past_.values().size() >= 30) {
      const auto low = past_.quantile(0.25), high = past_.quantile(0.75);
      const auto width = std::max(high - low, 1e-3 * std::abs(high) + 1e-9);
      out = std::max({0.0, r.deseasoned - high, low - r.deseasoned}) / width;
    }
    past_.add(r.deseasoned);
    return out;
  }

private:
  sorted_past past_{2'000};
};

class count final : public view {
public:
  double observe(const reading& r) override {
    double out = 0;
    if (const auto& past = usual_.at(r.at); past.size() >= 3 && r.value >= 0) {
      const auto law = fit_counts(past);
      out = -std::log10(std::max(std::min(law.at_most(r.value), law.at_least(r.value)), 1e-12));
    }
    usual_.add(r.at, std::max(0.0, r.value));
    return out;
  }

private:
  by_hour usual_;
};

/// Isolation forest over value, residual and change, fitted anew on the last thousand points.
class forest final : public view {
public:
  double observe(const reading& r) override {
    const double row[] = {r.value, r.residual, r.deseasoned, r.value - last_};
    last_ = r.value;
    const auto out = model_ ? -std::log2(std::max(1e-12, 1 - model_->score(row).raw)) : 0;
    rows_.insert(rows_.end(), std::begin(row), std::end(row));
    if (rows_.size() > 4 * rows_max)
      rows_.erase(rows_.begin(), rows_.begin() + 4);
    if (++seen_ % refit == 0) {
      auto fitted = detection::fit({rows_, rows_.size() / 4, 4}, {"value", "residual", "level", "change"},
                                   {.kind = detection::model_kind::forest, .n_estimators = 50, .random_state = seen_});
      if (fitted)
        model_.emplace(std::move(*fitted));
    }
    return out;
  }

private:
  static constexpr std::size_t rows_max = 1'000;
  static constexpr std::size_t refit = 250;

  std::vector<double> rows_;
  std::optional<detection::model> model_;
  double last_ = 0;
  std::uint64_t seen_ = 0;
};

} // namespace

std::unique_ptr<view> make_mad() {
  return std::make_unique<mad>();
}

std::unique_ptr<view> make_z() {
  return std::make_unique<z_score>();
}

std::unique_ptr<view> make_iqr() {
  return std::make_unique<iqr>();
}

std::unique_ptr<view> make_count() {
  return std::make_unique<count>();
}

std::unique_ptr<view> make_forest() {
  return std::make_unique<forest>();
}

} // namespace pulse::series
