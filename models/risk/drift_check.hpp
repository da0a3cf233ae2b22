// Whether a tenant's latest events are still like those that its model was fitted on: column by column and by the
// model's score. A finding is a proposal to train anew; nothing is done by itself.
#pragma once

#include <span>
#include <vector>

#include "models/detection/drift.hpp"
#include "models/risk/assess.hpp"

namespace pulse::scoring {

/// Features of an event as they were scored, and its time.
struct timed_row {
  features::row row{};
  time_ms at;
};

struct drift_report {
  std::size_t reference_rows = 0;
  std::size_t rows = 0;
  /// Of the model's columns and of `score`, the least probable first; empty for too few rows.
  std::vector<detection::drift_finding> findings;

  /// Names of what drifted.
  std::vector<std::string> drifted() const;
};

/// `reference`: what the model was fitted on. Rows of one part of the week are compared with those of the same one.
drift_report check_drift(std::span<const timed_row> reference, std::span<const timed_row> latest,
                         const placed_model& placed);

} // namespace pulse::scoring
