// The cards of models that a training made, as JSON: what each was fitted on, how good it is, what has changed since.
#pragma once

#include <string>

#include "models/fraud/challenge.hpp"
#include "models/risk/drift_check.hpp"
#include "ports/control_store.hpp"

namespace pulse {

std::string card_of(const detection::model& model, const feature_history& history);

/// Of a challenger that was fitted.
std::string card_of(const fraud::outcome& o, const fraud::fit_options& options);

/// What stands on the card of the model in force: which features have changed since it was fitted.
std::string drift_json(const scoring::drift_report& r, time_ms now);

} // namespace pulse
