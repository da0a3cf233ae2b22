// What labels say of what was decided: precision and recall of the outcome, of each rule and of each model, with
// intervals. Of labelled events alone: who labels only frauds learns recall, and no precision.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/event/event.hpp"
#include "models/rules/backtest.hpp"

namespace pulse::rules {

struct label_counts {
  std::int64_t fraud = 0;
  std::int64_t legitimate = 0;

  void add(bool is_fraud) {
    ++(is_fraud ? fraud : legitimate);
  }

  std::int64_t total() const {
    return fraud + legitimate;
  }

  /// Share of frauds; nothing of none.
  std::optional<double> precision() const;
};

class quality {
public:
  void add(bool fraud, const std::string& outcome, const std::string& model, const std::vector<risk_part>& parts);

  const label_counts& all() const {
    return all_;
  }

  /// By outcome: approve, review, decline.
  const std::map<std::string, label_counts>& outcomes() const {
    return outcomes_;
  }

  /// Declined or sent to review.
  label_counts stopped() const;

  /// Hits by (source, name): `rule` or `shadow`, and the rule.
  const std::map<std::pair<std::string, std::string>, label_counts>& rules() const {
    return rules_;
  }

  struct model_counts {
    label_counts all;
    label_counts stopped;
  };

  /// By the id of the model that scored; empty for none.
  const std::map<std::string, model_counts>& models() const {
    return models_;
  }

  /// Share of all labelled frauds; nothing when there is none.
  std::optional<double> recall(const label_counts& hits) const;

private:
  label_counts all_;
  std::map<std::string, label_counts> outcomes_;
  std::map<std::pair<std::string, std::string>, label_counts> rules_;
  std::map<std::string, model_counts> models_;
};

} // namespace pulse::rules
