// From the model's risk and the rules to one score, level and outcome. A pure function of the values that the rules
// asked for, so an old decision can be made again bit for bit from what was stored with it.
//
// score = the model's points + the points of the live rules that hit, within 0 and 100; what is cut off there is a part
// of its own (`limit`), so parts still add up exactly. All points are eighths. outcome: what the score says by the
// thresholds, unless a live rule that hit says approve; a live rule that says review or decline is never undercut.
// Shadow rules, snoozed rules and the values kept for recomputing stand among the parts with 0 points.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/features/features.hpp"
#include "models/risk/assess.hpp"
#include "models/rules/rule_set.hpp"
#include "models/rules/subject.hpp"

namespace pulse::rules {

/// One value for each of rule_set::inputs().
using input_values = std::vector<value>;

/// Answers for windows; the others are read from the event, the features and the model's risk.
using window_source = std::function<value(const input&)>;

/// Views point into the subject.
input_values read_inputs(const rule_set& set, const subject& s, const features::row& row, const pulse::risk& model,
                         const window_source& windows);

/// Sets what depends on features and on the model's score alone, after these were changed.
void read_model_inputs(const rule_set& set, const features::row& row, const pulse::risk& model, input_values& out);

/// JSON of the values that cannot be read from the stored event again (input::is_kept), in the order of inputs:
/// `[3,"GB",null]`, money as its millionths.
std::string keep_inputs(const rule_set& set, const input_values& values);

/// Puts them back; `texts` holds what the values point to. Errors: `corrupt`.
result<void> restore_inputs(const rule_set& set, const subject& s, std::string_view kept,
                            std::deque<std::string>& texts, input_values& out);

struct rule_result {
  /// Index into rule_set::rules().
  std::uint32_t rule = 0;
  bool hit = false;
  bool snoozed = false;
  /// What comparisons came upon that was not known: they are false.
  std::vector<std::uint32_t> unknown_inputs;
  std::vector<std::string> unknown_lists;
};

struct decision {
  pulse::risk risk;
  verdict outcome = verdict::approve;
  /// What it had been with the shadow rules live.
  double shadow_score = 0;
  verdict shadow_outcome = verdict::approve;
  /// Of every live and shadow rule, in order.
  std::vector<rule_result> results;
};

/// `model`: what the model alone said.
decision decide(const rule_set& set, const input_values& values, const subject& s, const list_source* lists,
                const pulse::risk& model, const scoring::risk_policy& policy);

/// The same for the outcome alone, without any text.
verdict outcome_only(const rule_set& set, const input_values& values, const subject& s, const list_source* lists,
                     const pulse::risk& model, const scoring::risk_policy& policy);

/// What the model alone had said: the parts that are not of rules, and their sum.
pulse::risk model_risk(const pulse::risk& stored);

/// Decides a stored event again: its risk as stored, the rule set it names, its features. Bit for bit the same risk.
/// Errors: `conflict` when other rules or lists decided the event, `corrupt` when the values kept are not readable.
result<decision> recompute(const rule_set& set, const event& stored, const features::row& row,
                           const enrichment_data& data, const list_source* lists, const scoring::risk_policy& policy);

} // namespace pulse::rules
