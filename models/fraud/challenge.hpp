// Whether a fraud model learnt from labels may take the place of the one in force: both judge the latest labelled
// events, which neither was fitted on, and the challenger has to be no worse. Pure; the same rows give the same answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "models/fraud/fit.hpp"
#include "models/fraud/judge.hpp"

namespace pulse::fraud {

/// Events with final labels (see is_mature), oldest first; features row-major as they were scored.
struct labelled_history {
  std::size_t columns = 0;
  std::vector<float> values;
  std::vector<char> fraud;
  std::vector<time_ms> at;

  std::size_t rows() const {
    return fraud.size();
  }
};

/// How well a model tells the held-out frauds from the rest.
struct ranking {
  double auroc = 0;
  double average_precision = 0;
  /// Share of frauds above the hundredth of legitimate events that look worst.
  double recall_at_1_percent = 0;
};

/// `scores`: higher is more suspicious. Ties count half for the area, and as one step for precision and recall.
ranking rank(const std::vector<double>& scores, const std::vector<char>& fraud);

struct challenge_options {
  std::size_t rows_min = 500;
  std::size_t frauds_min = 30;
  std::size_t held_out_frauds_min = 10;
  /// Share of the rows, the latest, that are held out.
  double held_out = 0.25;
  fit_options fit;
};

struct champion {
  /// Its features are the first of the history's.
  const judge& version;
  /// Time of the latest event that it was fitted on.
  time_ms fitted_to;
};

struct outcome {
  /// Fitted on all rows after it passed; nothing when there was nothing to fit on.
  std::optional<judge> challenger;
  bool passed = false;
  /// Why it passed, or did not, or was not fitted.
  std::string why;
  std::size_t rows = 0;
  std::size_t frauds = 0;
  std::size_t held_out_rows = 0;
  std::size_t held_out_frauds = 0;
  std::optional<ranking> challenger_rank;
  std::optional<ranking> champion_rank;
  time_ms from;
  time_ms to;
  time_ms held_out_from;
};

/// Without a champion the challenger must tell frauds apart better than chance (area above one half by two standard
/// errors). A challenger that did not pass is fitted on the rows before the held-out ones alone. Errors: those of fit.
result<outcome> challenge(const labelled_history& history, const std::vector<std::string>& names,
                          const std::optional<champion>& holder, const challenge_options& options = {});

} // namespace pulse::fraud
