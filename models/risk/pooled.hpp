// Fitting a detector on stored features: a tenant's own model from its history, and the pooled one that stands in
// until a tenant has 500 events, from the events of a sample.
#pragma once

#include <span>

#include "models/detection/model.hpp"
#include "models/features/features.hpp"
#include "models/risk/file_formats.hpp"
#include "models/risk/tenant_scorer.hpp"

namespace pulse::scoring {

/// Events from which on a tenant gets a model of its own.
inline constexpr std::size_t own_model_events = 500;

/// A tenant's model is fitted without anybody asking when its number of stored events reaches 500, and again each time
/// it has four times as many (2,000, 8,000, ...): true when one of these lies in (before, now].
bool training_due(std::int64_t events_before, std::int64_t events_now);

/// On rows as tenant_scorer::score returned them, by the features that one in a hundred of them knows; which of these
/// are one-sided the features say. Errors: those of detection::fit.
result<detection::model> fit_on_features(std::span<const features::row> rows, detection::fit_options options,
                                         const file_formats& formats = newest_files);

/// Runs the events (in log order, of one imagined tenant) through a scorer of its own and fits on what it saw after the
/// first tenth, which is only there to make a history. Same events, same bytes. Errors: `invalid` for no events.
result<detection::model> fit_pooled(std::span<const event> events, const detection::fit_options& options = {});

} // namespace pulse::scoring
