// The smallest change of one or two things that would have changed an event's outcome. Found by trying: values at which
// a rule's comparisons turn, features moved towards and away from what is typical; each answer was decided again by the
// same code and has the other outcome.
//
// A thing is changed alone: what is worked out from it elsewhere (a sum over amounts, a feature) stays as it was.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/rules/decision.hpp"
#include "models/rules/lists.hpp"

namespace pulse::rules {

/// What the model alone says of changed features.
using model_call = std::function<pulse::risk(const features::row&)>;

struct case_to_flip {
  const rule_set& set;
  const subject& event;
  const input_values& values;
  const features::row& row;
  /// Typical values of the features; empty: features are left alone.
  std::span<const double> typical;
  /// Null: the model's part stays what it was.
  model_call model;
  /// What the model alone said of the event.
  const pulse::risk& said;
  const compiled_lists* lists;
  scoring::risk_policy policy;
};

struct change {
  /// A noun or window as rules write it, or a feature.
  std::string name;
  std::string from;
  std::string to;
  /// 0 to 2: of numbers the difference over the larger of the two, else 1.
  double distance = 0;
};

struct flip {
  verdict from = verdict::approve;
  verdict to = verdict::approve;
  /// One, or two where none alone is enough; empty: nothing was found.
  std::vector<change> changes;
};

flip find_flip(const case_to_flip& c);

} // namespace pulse::rules
