#include "actors/trainer/trainer.hpp"

#include <algorithm>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "actors/trainer/cards.hpp"
#include "base/background.hpp"
#include "models/fraud/challenge.hpp"
#include "models/risk/drift_check.hpp"
#include "models/risk/pooled.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// Events that a model is fitted on, the latest ones.
constexpr std::int64_t rows_max = 20'000;
constexpr std::int64_t labelled_rows_max = 50'000;
constexpr std::uint64_t seed = 1;
/// What is usual in a shop changes.
constexpr std::int64_t retrain_s = 7 * 24 * 3600;
constexpr std::int64_t retry_s = 600;
/// For a tenant that has too few counted events.
constexpr std::int64_t wait_s = 3600;
/// Labels become final day by day.
constexpr std::int64_t retrain_fraud_s = 24 * 3600;
constexpr std::int64_t look_for_drift_s = 24 * 3600;
/// Events since the model was fitted that are looked at, the latest ones.
constexpr std::size_t drift_rows_max = 5'000;

/// A young model is replaced when the history is twice as long.
std::int64_t next_training_s(std::int64_t history_ms) {
  return history_ms < scoring::settled_history_ms ? std::max<std::int64_t>(hour_ms, history_ms) / 1000 : retrain_s;
}

template <class T>
std::vector<T> first_of(const std::vector<T>& all, std::size_t n) {
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)};
}

/// The fraud model in force with what it was fitted up to.
struct holder {
  fraud::judge version;
  time_ms fitted_to;
  /// By the features at hand: it was fitted on the first of them. Else it knows some that an older node does not.
  bool comparable;
};

/// The live version of a kind, its bytes, and the time of the latest event that it was fitted on.
struct live_version {
  std::string id;
  std::string bytes;
  std::optional<time_ms> to;
};

result<std::optional<live_version>> live_of(tenant_id tenant, const std::string& kind, control_store& store) {
  const auto versions = store.versions(tenant, kind);
  if (!versions)
    return versions.err();
  const auto live = std::find_if(versions->begin(), versions->end(), [](const auto& v) { return v.live; });
  if (live == versions->end())
    return std::optional<live_version>();
  auto bytes = store.version_bytes(tenant, kind, live->id);
  if (!bytes)
    return bytes.err();
  const auto card = nlohmann::json::parse(live->card, nullptr, false);
  const auto to = card.is_object() ? parse_time(card.value("to", "")) : std::nullopt;
  return std::optional<live_version>(live_version{live->id, std::move(*bytes), to});
}

result<std::optional<holder>> champion_of(tenant_id tenant, control_store& store,
                                          const std::vector<std::string>& names) {
  auto live = live_of(tenant, "fraud", store);
  if (!live)
    return live.err();
  if (!*live || !(*live)->to)
    return std::optional<holder>();
  auto judge = fraud::judge::load((*live)->bytes);
  if (!judge)
    return std::optional<holder>();
  const auto& known = judge->trees().features();
  const bool comparable = known.size() <= names.size() && std::equal(known.begin(), known.end(), names.begin());
  return std::optional<holder>(holder{std::move(*judge), *(*live)->to, comparable});
}

std::vector<scoring::timed_row> timed_rows(const feature_history& h) {
  std::vector<scoring::timed_row> out(h.rows());
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::copy_n(h.values.begin() + static_cast<std::ptrdiff_t>(i * features::count), features::count,
                out[i].row.begin());
    out[i].at = h.at[i];
  }
  return out;
}

} // namespace

trainer_state::trainer_state(trainer_actor::pointer p, context_ptr c, scoring::file_formats f) :
  self(p), context(std::move(c)), formats(f) {
}

result<training_outcome> trainer_state::train(tenant_id tenant, training_kind kind) {
  const auto store = context->make_control_store();
  // Until this one has ended, well or badly, nobody else begins.
  if (auto claimed = store->schedule_training(tenant, kind, retry_s); !claimed)
    return claimed.err();
  training_outcome out;
  const auto schedule = [&](const result<void>& scheduled) {
    if (!scheduled)
      log::warning("training_not_scheduled", "trainer", scheduled.err().detail, {tenant, {}, ""});
  };
  if (kind == training_kind::all) {
    const auto done = fit(tenant, *store, out);
    if (!done && done.err().code != ec::conflict)
      return done.err();
    schedule(store->schedule_training(tenant, kind, done ? out.next_s : wait_s));
    if (done)
      schedule(store->schedule_training(tenant, training_kind::drift, look_for_drift_s));
    if (!done)
      return done.err();
  }
  if (kind == training_kind::drift) {
    schedule(store->schedule_training(tenant, kind, look_for_drift_s));
    if (auto done = look_for_drift(tenant, *store, out); !done)
      return done.err();
    return out;
  }
  if (auto done = fit_fraud(tenant, *store, out); !done)
    return done.err();
  return out;
}

result<void> trainer_state::fit(tenant_id tenant, control_store& store, training_outcome& out) {
  auto history = store.history(tenant, features::count, rows_max);
  if (!history)
    return history.err();
  if (history->rows() < scoring::own_model_events)
    return error{
        ec::conflict,
        fmt::format("the tenant has {} scored events; its own model needs {}. Until then the shared model scores",
                    history->rows(), scoring::own_model_events),
        ""};
  std::vector<features::row> rows(history->rows());
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy_n(history->values.begin() + static_cast<std::ptrdiff_t>(i * features::count), features::count,
                rows[i].begin());
  auto model = scoring::fit_on_features(rows, {.random_state = seed, .history_ms = history->reach_ms}, formats);
  if (!model)
    return model.err();
  auto control = store.publish(tenant, "model", model->id(), model->save(), card_of(*model, *history), "trainer");
  if (!control)
    return control.err();
  out.model = model->id();
  out.rows = rows.size();
  out.next_s = next_training_s(history->reach_ms);
  out.controls.push_back(*control);
  return {};
}

result<void> trainer_state::look_for_drift(tenant_id tenant, control_store& store, training_outcome& out) {
  const auto live = live_of(tenant, "model", store);
  if (!live)
    return live.err();
  if (!*live || !(*live)->to)
    return store.end_training(tenant, training_kind::drift);
  auto model = detection::model::load((*live)->bytes);
  if (!model)
    return model.err();
  const auto placed = scoring::place(std::make_shared<const detection::model>(std::move(*model)));
  if (!placed)
    return placed.err();
  const auto history = store.history(tenant, features::count, rows_max + static_cast<std::int64_t>(drift_rows_max));
  if (!history)
    return history.err();
  const auto rows = timed_rows(*history);
  const auto split =
      std::partition_point(rows.begin(), rows.end(), [&](const scoring::timed_row& r) { return r.at <= *(*live)->to; });
  const auto latest = rows.end() - split > static_cast<std::ptrdiff_t>(drift_rows_max)
                          ? rows.end() - static_cast<std::ptrdiff_t>(drift_rows_max)
                          : split;
  const auto report = scoring::check_drift({rows.begin(), split}, {latest, rows.end()}, *placed);
  out.drifted = report.drifted();
  context->metrics.looked_for_drift(!out.drifted.empty());
  out.rows = report.rows;
  return store.note_on_card(tenant, "model", (*live)->id, "drift", drift_json(report, context->time.now()));
}

/// What passes the challenge is put in force; what does not is kept as a draft.
result<void> trainer_state::fit_fraud(tenant_id tenant, control_store& store, training_outcome& out) {
  const auto history = store.labelled(tenant, formats.columns, labelled_rows_max, fraud::label_delay_ms);
  if (!history)
    return history.err();
  const auto names = first_of(features::names(), formats.columns);
  const auto held = champion_of(tenant, store, names);
  if (!held)
    return held.err();
  fraud::challenge_options options;
  options.fit.random_state = seed;
  options.fit.monotone = first_of(features::monotone(), formats.columns);
  std::optional<fraud::champion> champion;
  if (*held && (*held)->comparable)
    champion.emplace(fraud::champion{(*held)->version, (*held)->fitted_to});
  const auto done = fraud::challenge(*history, names, champion, options);
  if (!done)
    return done.err();
  out.fraud_why = done->why;
  if (done->frauds == 0)
    return store.end_training(tenant, training_kind::fraud);
  if (auto next = store.schedule_training(tenant, training_kind::fraud, retrain_fraud_s); !next)
    return next;
  if (!done->challenger)
    return {};
  // What could not be compared with the model in force does not take its place.
  if (!done->passed || (*held && !(*held)->comparable))
    return store.keep(tenant, "fraud", done->challenger->id(), done->challenger->save(), card_of(*done, options.fit),
                      "trainer");
  auto control = store.publish(tenant, "fraud", done->challenger->id(), done->challenger->save(),
                               card_of(*done, options.fit), "trainer");
  if (!control)
    return control.err();
  out.fraud_model = done->challenger->id();
  out.controls.push_back(*control);
  return {};
}

training_ptr trainer_state::answer(tenant_id tenant, const std::string& wanted) {
  const auto started = context->time.monotonic_ms();
  const auto kind = parse_training(wanted);
  auto done = std::make_shared<result<training_outcome>>(
      kind ? in_background([&] { return train(tenant, *kind); })
           : error{ec::invalid, "there is no training '" + wanted + "'", ""});
  const auto seconds = static_cast<double>(context->time.monotonic_ms() - started) / 1000.0;
  if (kind != training_kind::drift)
    context->metrics.trained(seconds, done->ok());
  const auto tell = [&](const char* event, const std::string& text) {
    log::info(event, "trainer", text, {tenant, {}, ""});
  };
  if (!done->ok())
    tell("model_not_trained", done->err().detail);
  else if (const auto& o = done->value(); !o.model.empty())
    tell("model_trained", fmt::format("{} on {} events in {:.1f} s", o.model, o.rows, seconds));
  if (done->ok() && !done->value().fraud_why.empty())
    tell(done->value().fraud_model.empty() ? "fraud_model_not_passed" : "fraud_model_trained",
         done->value().fraud_model + " " + done->value().fraud_why);
  if (done->ok() && !done->value().drifted.empty())
    tell("model_drifted", fmt::format("{}", fmt::join(done->value().drifted, ", ")));
  self->quit();
  return done;
}

trainer_actor::behavior_type trainer_state::make_behavior() {
  return {
      [this](train_atom, tenant_id tenant, const std::string& wanted) { return answer(tenant, wanted); },
  };
}

} // namespace pulse
