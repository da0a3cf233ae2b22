#include "actors/trainer/trainer.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "models/risk/pooled.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// Events that a model is fitted on, the latest ones.
constexpr std::int64_t rows_max = 20'000;
constexpr std::uint64_t seed = 1;
/// What is usual in a shop changes.
constexpr std::int64_t retrain_s = 7 * 24 * 3600;
constexpr std::int64_t retry_s = 600;
/// For a tenant that has too few counted events.
constexpr std::int64_t wait_s = 3600;

/// A young model is replaced when the history is twice as long.
std::int64_t next_training_s(std::int64_t history_ms) {
  return history_ms < scoring::settled_history_ms ? std::max<std::int64_t>(hour_ms, history_ms) / 1000 : retrain_s;
}

std::string card_of(const detection::model& model, const feature_history& history) {
  const auto& card = model.card();
  return nlohmann::ordered_json{{"rows", card.rows},
                                {"from", history.from},
                                {"to", history.to},
                                {"n_estimators", card.n_estimators},
                                {"max_samples", card.max_samples},
                                {"random_state", card.random_state},
                                {"history_ms", card.history_ms},
                                {"features", model.features()}}
      .dump();
}

} // namespace

trainer_state::trainer_state(trainer_actor::pointer p, context_ptr c) : self(p), context(std::move(c)) {
}

result<training_outcome> trainer_state::train(tenant_id tenant) {
  const auto store = context->make_control_store();
  // Until this one has ended, well or badly, nobody else begins.
  if (auto claimed = store->schedule_training(tenant, retry_s); !claimed)
    return claimed.err();
  auto done = fit(tenant, *store);
  if (!done && done.err().code != ec::conflict)
    return done;
  if (auto next = store->schedule_training(tenant, done ? done->next_s : wait_s); !next)
    log::warning("training_not_scheduled", "trainer", next.err().detail, {tenant, {}, ""});
  return done;
}

result<training_outcome> trainer_state::fit(tenant_id tenant, control_store& store) {
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
  auto model = scoring::fit_on_features(rows, {.random_state = seed, .history_ms = history->reach_ms});
  if (!model)
    return model.err();
  auto control = store.publish(tenant, "model", model->id(), model->save(), card_of(*model, *history), "trainer");
  if (!control)
    return control.err();
  return training_outcome{model->id(), rows.size(), *control, next_training_s(history->reach_ms)};
}

trainer_actor::behavior_type trainer_state::make_behavior() {
  return {
      [this](train_atom, tenant_id tenant) {
        const auto started = context->time.monotonic_ms();
        auto done = std::make_shared<result<training_outcome>>(train(tenant));
        const auto seconds = static_cast<double>(context->time.monotonic_ms() - started) / 1000.0;
        context->metrics.trained(seconds, done->ok());
        log::info(done->ok() ? "model_trained" : "model_not_trained", "trainer",
                  done->ok()
                      ? fmt::format("{} on {} events in {:.1f} s", done->value().model, done->value().rows, seconds)
                      : done->err().detail,
                  {tenant, {}, ""});
        self->quit();
        return done;
      },
  };
}

} // namespace pulse
