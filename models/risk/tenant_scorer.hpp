// Scores the events of one tenant: history in event time, features, detector, risk. One per tenant, owned by its
// scoring actor; no I/O, no clock. Its state is a fold over the log and nothing else: loading the chunk images and
// replaying what is above them gives the state of a straight run, bit for bit.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "models/risk/assess.hpp"
#include "models/risk/chunk.hpp"
#include "models/risk/label_batch.hpp"

namespace pulse::scoring {

inline constexpr int chunk_count = 16;

struct chunk_image {
  int chunk = 0;
  /// The state after this offset.
  log_offset as_of;
  /// Versioned, with a checksum; equal states at equal offsets give equal bytes.
  std::string bytes;
};

struct scorer_options {
  chunk_limits limits;
  risk_policy policy;
};

class tenant_scorer {
public:
  explicit tenant_scorer(scorer_options options = {});

  /// Null: events are passed through as degraded. `pooled`: the model is not the tenant's own. Errors: `invalid` when
  /// the model was fitted on features that are not among features::names(); the old one stays.
  result<void> set_model(std::shared_ptr<const detection::model> model, bool pooled);

  /// The fraud model beside it; null: none. Errors: `invalid` when it was fitted on other features; the old one stays.
  result<void> set_fraud(std::shared_ptr<const fraud::judge> judge);

  /// Models that score beside those in force, or null: what they would have said stands in a part of 0 points. Errors
  /// likewise.
  result<void> set_shadow(std::shared_ptr<const detection::model> model);
  result<void> set_shadow(std::shared_ptr<const fraud::judge> judge);

  void set_policy(const risk_policy& policy);

  /// Sets and returns e.duplicate: the message id was in the window of recent ids at a lower offset. Remembers the id.
  /// False for events without a message id and for test events, which are not remembered either. Called once for each
  /// event in order, before score or replay.
  bool seen_before(event& e, log_offset at);

  /// An event of a run, and what its risk is made from.
  struct scored_event {
    event* e = nullptr;
    log_offset at;
    features::row row{};
  };

  /// Fills the risk and the row of each. Moves the state unless an event is a test or a duplicate. Offsets rise from
  /// call to call. The features of an event see all before it; the model looks at all rows of the run together, which
  /// is several times as fast, and the same as one by one to the last bit.
  void score(std::span<scored_event> run);

  /// A run of one; the row.
  features::row score(event& e, log_offset at);

  /// Moves the state as score does, and computes nothing else than that needs.
  void replay(std::span<const scored_event> run);
  void replay(const event& e, log_offset at);

  /// What labels say of past payments moves the entities' rates of fraud; a batch that was applied changes nothing.
  void apply(const labels::batch& batch, log_offset at);

  /// Features as score would compute them now.
  features::row feature_row(const event& e) const;

  /// Takes a chunk's image; before the first event. Errors: `corrupt` with the reason.
  result<void> load(const chunk_image& image);

  /// Events up to this offset are in the state already and are not folded again; -1 at the start. It is the highest
  /// `as_of` of all loaded images: a chunk that is missing there, or older, had not changed since, because all dirty
  /// chunks are imaged together. So a replay may start right above it.
  log_offset folded_to() const {
    return folded_to_;
  }

  /// Images of all chunks that changed since the last call, all as of the same offset, which has to be that of the
  /// last event. They belong into one transaction.
  std::vector<chunk_image> take_dirty_images(log_offset as_of);

  /// Memory that models take which are held for this tenant alone.
  std::size_t model_bytes() const;

  /// Events that moved the state since the last images.
  std::size_t events_since_images() const {
    return events_since_images_;
  }

private:
  features::row row_of(const event& e, const features::facts& f) const;
  bool moves_state(const event& e, log_offset at) const;
  void fold(const features::facts& f, log_offset at);
  void replay_into(std::vector<features::row>& rows, const event& e, log_offset at);
  void remember_scores(std::span<const features::row> rows);
  /// The model does not know what is usual here: it is not the tenant's own, or young. Then its scores are state.
  bool learns_usual() const {
    return model_ && (pooled_ || is_young(*model_->model));
  }
  /// By the models in shadow; without what they share with those in force.
  bool has_other_model() const {
    return shadow_model_ && (!model_ || shadow_model_->model->id() != model_->model->id());
  }
  bool has_other_fraud() const {
    return shadow_fraud_ && (!fraud_ || shadow_fraud_->judge->id() != fraud_->judge->id());
  }
  chunk& chunk_of(const key& k);
  const chunk& chunk_of(const key& k) const;

  scorer_options options_;
  std::optional<placed_model> model_;
  bool pooled_ = false;
  std::optional<placed_judge> fraud_;
  std::optional<placed_model> shadow_model_;
  std::optional<placed_judge> shadow_fraud_;
  std::array<chunk, chunk_count> chunks_;
  log_offset folded_to_{-1};
  std::size_t events_since_images_ = 0;
};

/// The image of the same chunk for another log: offsets in it are lower by so much, and it is as of `as_of`. Errors:
/// `corrupt`.
result<chunk_image> rebased(const chunk_image& image, std::int64_t by, log_offset as_of);

} // namespace pulse::scoring
