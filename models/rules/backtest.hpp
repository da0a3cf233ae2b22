// Rules (and a model) over history with the code that runs live: what would have been caught, missed and stopped in
// error, in events and in money, and each rule's precision with an interval. Pure: the caller brings the events in the
// order of the log, with their labels.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/risk/tenant_scorer.hpp"
#include "models/rules/engine.hpp"

namespace pulse::rules {

/// Events and their money by currency, in minor units.
struct bag {
  std::int64_t events = 0;
  std::map<std::string, std::int64_t> minor;

  void add(const event& e);
};

/// Wilson's score interval at 95 % of a share of `n`; 0 to 1 where n is 0. (E. B. Wilson 1927, JASA 22.)
struct interval {
  double low = 0;
  double high = 1;
};

interval wilson(std::int64_t hits, std::int64_t n);

struct rule_report {
  std::string name;
  rule_state state = rule_state::live;
  std::string broken;
  bag hits;
  std::int64_t snoozed = 0;
  /// Of the hits, by what the label says.
  bag fraud;
  bag legitimate;
  std::int64_t unlabelled = 0;
  /// Events by the outcome that they had in the end.
  std::int64_t by_outcome[3] = {0, 0, 0};
  /// Frauds that no other live or shadow rule hit.
  std::int64_t only_this = 0;
  /// Events in which it came upon something not known.
  std::int64_t unknown = 0;

  /// Share of frauds among labelled hits.
  std::optional<double> precision() const;
  interval precision_interval() const;
};

/// By outcome: approve, review, decline.
struct backtest_report {
  bag events;
  bag fraud[3];
  bag legitimate[3];
  bag unlabelled[3];
  /// Events whose outcome the shadow rules would have changed, from and to.
  std::int64_t shadow_changes[3][3] = {};
  std::vector<rule_report> rules;
  /// Came again under a message id that was there before; counted nowhere else.
  std::int64_t duplicates = 0;

  /// Events that have a label.
  std::int64_t labelled() const;
  /// Stopped is declined or sent to review.
  std::optional<double> recall() const;
  std::optional<double> precision() const;
  std::optional<double> false_alarm_rate() const;
};

class backtest {
public:
  struct options {
    std::shared_ptr<const rule_set> rules;
    /// May be null.
    std::shared_ptr<const compiled_lists> lists;
    /// Null: events pass as degraded, and rules decide alone.
    std::shared_ptr<const detection::model> model;
    bool pooled = false;
    enrichment_data data;
    scoring::risk_policy policy;
  };

  /// Errors: those of tenant_scorer::set_model.
  static result<backtest> make(options o);

  /// `fraud`: the event's label, where there is one. Events below `warm_up` only make a history.
  void add(event e, std::optional<bool> fraud);
  void warm_up(event e);

  /// An event that was scored when it came: the model's part stays what its risk says, features are made anew from the
  /// events before it, and the rules decide.
  void add_scored(event e, std::optional<bool> fraud);

  /// An event as it is stored: the model's part stays what its risk says, and the rules decide anew. Nothing for tests
  /// and duplicates.
  std::optional<decision> add_stored(event e, const features::row& row, std::optional<bool> fraud);

  const backtest_report& report() const {
    return report_;
  }

private:
  explicit backtest(options o);

  void settle(const event& e, const std::optional<decision>& d, std::optional<bool> fraud);
  void count(const event& e, const decision& d, std::optional<bool> fraud);
  void count_rules(const event& e, const decision& d, std::optional<bool> fraud);

  options options_;
  scoring::tenant_scorer scorer_;
  engine engine_;
  log_offset next_{0};
  backtest_report report_;
};

} // namespace pulse::rules
