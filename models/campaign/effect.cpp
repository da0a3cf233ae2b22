// See effect.hpp.
#include "models/campaign/effect.hpp"

#include <algorithm>
#include <cmath>

#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>

namespace pulse::campaign {

namespace {

constexpr std::size_t days_min = 21;
constexpr double share_moved = 0.2;
constexpr double degrees_min = 3;

struct line {
  double slope = 0, treated_mean = 0, control_mean = 0, control_square = 0;
  /// Of one day's residual, and how much the variance of a sum grows by serial correlation.
  double variance = 0, inflation = 1, degrees = 0;

  double at(double control) const {
    return treated_mean + slope * (control - control_mean);
  }
};

/// Lag-1 correlation of the residuals, not below 0, mended for the bias of short series (Kendall 1954).
double serial(const std::vector<double>& r) {
  double product = 0, square = 0;
  for (std::size_t i = 0; i < r.size(); ++i) {
    square += r[i] * r[i];
    if (i > 0)
      product += r[i] * r[i - 1];
  }
  const auto n = static_cast<double>(r.size());
  const auto rho = square > 0 ? product / square : 0;
  return std::clamp(rho + (1 + 3 * rho) / n, 0.0, 0.9);
}

line fit(const history& h) {
  line out;
  const auto n = static_cast<double>(h.begin);
  for (std::size_t i = 0; i < h.begin; ++i)
    out.treated_mean += h.treated[i] / n, out.control_mean += h.control[i] / n;
  double both = 0;
  for (std::size_t i = 0; i < h.begin; ++i) {
    const auto c = h.control[i] - out.control_mean;
    out.control_square += c * c;
    both += c * (h.treated[i] - out.treated_mean);
  }
  out.slope = out.control_square > 0 ? both / out.control_square : 0;
  std::vector<double> residuals;
  double square = 0;
  for (std::size_t i = 0; i < h.begin; ++i) {
    residuals.push_back(h.treated[i] - out.at(h.control[i]));
    square += residuals.back() * residuals.back();
  }
  out.variance = square / (n - 2);
  const auto rho = serial(residuals);
  out.inflation = (1 + rho) / (1 - rho);
  out.degrees = std::max(degrees_min, n / out.inflation - 2);
  return out;
}

double t_limit(double degrees, double tail) {
  return quantile(complement(boost::math::students_t(degrees), tail));
}

} // namespace

measured measure(const history& h, double level) {
  const auto n = h.treated.size();
  if (h.control.size() != n || h.begin >= h.end || h.end > n)
    return {std::nullopt, "no day of the run is known"};
  if (h.begin < days_min)
    return {std::nullopt, fmt::format("{} days before the campaign; {} are needed", h.begin, days_min)};
  const auto l = fit(h);
  if (!(l.variance > 1e-12 * l.treated_mean * l.treated_mean) || !std::isfinite(l.variance))
    return {std::nullopt, "nothing varied before the campaign, so chance cannot be judged"};
  const auto days = static_cast<double>(h.end - h.begin);
  effect e{h.name, 0, 0, 0, 0, l.degrees, h.spend};
  double control = 0;
  for (auto i = h.begin; i < h.end; ++i) {
    e.gained += h.treated[i] - l.at(h.control[i]);
    control += h.control[i] - l.control_mean;
  }
  // Of the days themselves, of the mean, and of the slope.
  const auto by_slope = l.control_square > 0 ? control * control / l.control_square : 0;
  e.error = std::sqrt(l.variance * l.inflation * (days + days * days / static_cast<double>(h.begin) + by_slope));
  const auto half = e.error * t_limit(l.degrees, (1 - level) / 2);
  e.lower = e.gained - half;
  e.upper = e.gained + half;
  return {e, {}};
}

advice propose(const std::vector<effect>& effects, double error_rate) {
  std::vector<const effect*> paid;
  for (const auto& e : effects)
    if (e.spend > 0)
      paid.push_back(&e);
  if (paid.size() < 2)
    return {std::nullopt, "fewer than two campaigns with a measured effect and spend"};
  const auto pairs = static_cast<double>(paid.size() * (paid.size() - 1));
  advice out;
  for (const auto* to : paid)
    for (const auto* from : paid) {
      if (to == from)
        continue;
      const auto better = to->gained / to->spend - from->gained / from->spend;
      const auto error = std::hypot(to->error / to->spend, from->error / from->spend);
      const auto lower = better - error * t_limit(std::min(to->degrees, from->degrees), error_rate / pairs);
      const auto amount = share_moved * from->spend;
      // One more coin must also come back from where it goes.
      if (lower <= 0 || to->lower <= 0)
        continue;
      if (!out.shift || amount * lower > out.shift->gain_lower)
        out.shift = proposal{from->name, to->name, amount, amount * better, amount * lower};
    }
  if (!out.shift)
    out.reason = "no campaign's return is higher than another's for sure";
  return out;
}

} // namespace pulse::campaign
