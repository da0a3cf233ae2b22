// One point that is by itself too unlikely: an hour with half of its orders. The detector's views look at stretches and
// need several odd points; a coarse series, whose points are whole hours or days of a business, may not wait for them.
#pragma once

#include "base/time.hpp"
#include "models/series/own_past.hpp"

namespace pulse::series {

/// Points so far apart are pieces of business by themselves: one may alarm without waiting for the next.
constexpr std::int64_t step_of_one_ms = 15 * minute_ms;

/// Sums of independent things scatter in proportion to their mean: x / phi is taken to be Poisson with mean
/// expected / phi, phi estimated from the series (quasi-Poisson: McCullagh, Nelder 1989, section 6.2). Scale-free:
/// orders and cents alike. Because real series scatter more than that now and then, a point also has to be rare among
/// what the law thought of earlier ones. One pass; bounded.
class surprise {
public:
  /// At most about `a_week` false alarms in seven days.
  surprise(std::int64_t step_ms, double a_week);

  /// From 1 on the point is an alarm; 0 where the law has nothing to say: a series with values below 0, too short a
  /// past, points closer than 15 minutes. Then takes the point in.
  double strength(double x, double expected);

private:
  bool active_;
  double points_a_day_;
  /// -log10 of the probability that an alarm needs.
  double needed_;
  std::size_t unknown_ = 0;
  std::size_t seen_ = 0;
  double phi_ = 0;
  own_past past_;
};

} // namespace pulse::series
