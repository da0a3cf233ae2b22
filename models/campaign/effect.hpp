// What a campaign brought: the segment it spoke to against what the other segments say it would have brought without.
// The difference has an interval; where the past does not carry one, there is none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace pulse::campaign {

/// Daily figures of one campaign, all vectors of one length.
struct history {
  std::string name;
  /// Revenue (or margin) of the segment the campaign speaks to.
  std::vector<double> treated;
  /// Revenue of everything else, in the same days: moved by the season, not by the campaign.
  std::vector<double> control;
  /// First day, and the day after the last one, that the campaign ran. What lies before is the past it is judged by.
  std::size_t begin = 0;
  std::size_t end = 0;
  double spend = 0;
};

struct effect {
  std::string name;
  /// Brought beyond what was to be expected, over the whole run.
  double gained = 0;
  double lower = 0;
  double upper = 0;
  double error = 0;
  double degrees = 0;
  double spend = 0;
};

struct measured {
  std::optional<effect> value;
  /// Why there is none.
  std::string reason;
};

/// Least squares of treated on control over the days before (difference in differences where control says nothing of
/// treated), projected over the run; the error takes in the scatter of days, its serial correlation (AR(1)) and that of
/// the fit. `level` of the intervals hold the truth. No value with fewer than 21 days before, without a day of run, or
/// when treated never varied.
measured measure(const history& h, double level = 0.9);

struct proposal {
  std::string from;
  std::string to;
  /// Amount of the next, equal run to move.
  double amount = 0;
  /// Expected to be gained by it, and its one-sided lower bound at the proposal's own error rate.
  double gain = 0;
  double gain_lower = 0;
};

struct advice {
  std::optional<proposal> shift;
  /// Why there is none.
  std::string reason;
};

/// Moves at most a fifth of the weaker campaign's spend to the stronger, where the return of one more coin differs for
/// sure: over all pairs together at most `error_rate` of the proposals made among equals are false (Bonferroni).
/// Returns are taken as straight lines over such a step; a fifth is what keeps that honest.
advice propose(const std::vector<effect>& effects, double error_rate = 0.05);

} // namespace pulse::campaign
