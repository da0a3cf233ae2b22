// See tenant_scorer.hpp.
#include "models/risk/tenant_scorer.hpp"

#include <fmt/format.h>

#include "models/binary/chunk_file.hpp"

namespace pulse::scoring {

namespace {

constexpr std::uint16_t older_versions[] = {2};
constexpr binary::chunk_format image_format{"PULSECHK", 3, older_versions, "chunk"};

const key& tenant_key() {
  static const auto out = hash_parts({"tenant"});
  return out;
}

std::size_t place(const key& k) {
  return k.back() % chunk_count;
}

} // namespace

tenant_scorer::tenant_scorer(scorer_options options) : options_(options) {
}

namespace {

/// Puts what was placed, or nothing, where it belongs; on an error that stays as it was.
template <class Model, class Placed>
result<void> put(std::shared_ptr<const Model> model, std::optional<Placed>& into) {
  std::optional<Placed> placed;
  if (model) {
    auto done = scoring::place(std::move(model));
    if (!done)
      return done.err();
    placed = std::move(*done);
  }
  into = std::move(placed);
  return {};
}

} // namespace

result<void> tenant_scorer::set_model(std::shared_ptr<const detection::model> model, bool pooled) {
  if (auto ok = put(std::move(model), model_); !ok)
    return ok;
  pooled_ = pooled;
  return {};
}

result<void> tenant_scorer::set_fraud(std::shared_ptr<const fraud::judge> judge) {
  return put(std::move(judge), fraud_);
}

result<void> tenant_scorer::set_shadow(std::shared_ptr<const detection::model> model) {
  return put(std::move(model), shadow_model_);
}

result<void> tenant_scorer::set_shadow(std::shared_ptr<const fraud::judge> judge) {
  return put(std::move(judge), shadow_fraud_);
}

std::size_t tenant_scorer::model_bytes() const {
  std::size_t out = 0;
  if (model_ && !pooled_)
    out += model_->model->memory_bytes();
  if (shadow_model_)
    out += shadow_model_->model->memory_bytes();
  for (const auto* f : {&fraud_, &shadow_fraud_})
    if (*f)
      out += (*f)->judge->memory_bytes();
  return out;
}

void tenant_scorer::set_policy(const risk_policy& policy) {
  options_.policy = policy;
}

chunk& tenant_scorer::chunk_of(const key& k) {
  auto& out = chunks_[place(k)];
  out.dirty = true;
  return out;
}

const chunk& tenant_scorer::chunk_of(const key& k) const {
  return chunks_[place(k)];
}

bool tenant_scorer::seen_before(event& e, log_offset at) {
  e.duplicate = false;
  if (e.message_id.empty() || e.test)
    return false;
  const auto id = hash_parts({"message", e.message_id});
  e.duplicate = std::as_const(*this).chunk_of(id).ids.seen_before(id, at, e.received_at);
  if (!e.duplicate && at > folded_to_)
    chunk_of(id).ids.add(id, at, e.received_at, options_.limits.message_ids);
  return e.duplicate;
}

features::row tenant_scorer::row_of(const event& e, const features::facts& f) const {
  features::history before;
  before.tenant = chunk_of(tenant_key()).populations.find(tenant_key());
  before.same_name = chunk_of(f.same_name).populations.find(f.same_name);
  if (f.customer)
    before.customer = chunk_of(*f.customer).profiles.find(*f.customer);
  if (f.address)
    before.ip = chunk_of(*f.address).addresses.find(*f.address);
  if (f.is_payment) {
    before.links.tenant = chunk_of(tenant_key()).linked.find(tenant_key());
    for (std::size_t i = 0; i < f.linked.size(); ++i)
      if (f.linked[i])
        before.links.of[i] = chunk_of(*f.linked[i]).linked.find(*f.linked[i]);
  }
  return features::compute(e, f, before);
}

features::row tenant_scorer::feature_row(const event& e) const {
  return row_of(e, features::facts_of(e));
}

features::row tenant_scorer::score(event& e, log_offset at) {
  scored_event one{&e, at};
  score({&one, 1});
  return one.row;
}

void tenant_scorer::score(std::span<scored_event> run) {
  std::vector<features::row> rows;
  rows.reserve(run.size());
  for (auto& r : run) {
    const auto f = features::facts_of(*r.e);
    rows.push_back(r.row = row_of(*r.e, f));
    if (moves_state(*r.e, r.at))
      fold(f, r.at);
  }
  const bool other_model = has_other_model(), other_fraud = has_other_fraud();
  const auto scored = model_ ? score_rows(rows, *model_) : std::vector<detection::scored>();
  const auto other = other_model ? score_rows(rows, *shadow_model_) : std::vector<detection::scored>();
  for (std::size_t i = 0; i < run.size(); ++i) {
    auto& risk = run[i].e->risk;
    const auto* own = learns_usual() ? &std::as_const(*this).chunk_of(tenant_key()).scores : nullptr;
    risk = model_ ? assess(rows[i], *model_, scored[i], own, options_.policy) : unscored(options_.policy);
    auto would = other_model   ? assess(rows[i], *shadow_model_, other[i], nullptr, options_.policy)
                 : other_fraud ? risk
                               : pulse::risk();
    if (fraud_)
      add_fraud(risk, rows[i], *fraud_, options_.policy);
    if (const auto& f = other_fraud ? shadow_fraud_ : fraud_; f && (other_model || other_fraud))
      add_fraud(would, rows[i], *f, options_.policy);
    if (other_model || other_fraud)
      risk.parts.push_back(shadow_part(other_model ? shadow_model_->model->id() : shadow_fraud_->judge->id(), would));
    if (own != nullptr && moves_state(*run[i].e, run[i].at))
      chunk_of(tenant_key()).scores.add(model_->model->id(), scored[i].raw);
  }
}

void tenant_scorer::replay(std::span<const scored_event> run) {
  std::vector<features::row> rows;
  for (const auto& r : run)
    replay_into(rows, *r.e, r.at);
  remember_scores(rows);
}

void tenant_scorer::replay(const event& e, log_offset at) {
  std::vector<features::row> rows;
  replay_into(rows, e, at);
  remember_scores(rows);
}

/// Adds the row where its score is part of the state.
void tenant_scorer::replay_into(std::vector<features::row>& rows, const event& e, log_offset at) {
  if (!moves_state(e, at))
    return;
  const auto f = features::facts_of(e);
  if (learns_usual())
    rows.push_back(row_of(e, f));
  fold(f, at);
}

void tenant_scorer::remember_scores(std::span<const features::row> rows) {
  if (rows.empty())
    return;
  for (const auto& s : score_rows(rows, *model_))
    chunk_of(tenant_key()).scores.add(model_->model->id(), s.raw);
}

/// The images hold everything up to folded_to_ already: folding it again would count it twice.
bool tenant_scorer::moves_state(const event& e, log_offset at) const {
  return !e.test && !e.duplicate && at > folded_to_;
}

void tenant_scorer::fold(const features::facts& f, log_offset at) {
  const auto& limits = options_.limits;
  chunk_of(tenant_key()).populations.update(tenant_key(), f, at, limits.populations, limits.window_entries);
  chunk_of(f.same_name).populations.update(f.same_name, f, at, limits.populations, limits.window_entries);
  if (f.customer)
    chunk_of(*f.customer).profiles.update(*f.customer, f, at, limits.profiles, limits.window_entries);
  if (f.address)
    chunk_of(*f.address).addresses.update(*f.address, f, at, limits.addresses, limits.window_entries);
  if (f.is_payment) {
    chunk_of(tenant_key()).linked.update(tenant_key(), f, at, limits.linked, limits.linked_entries);
    for (const auto& k : f.linked)
      if (k)
        chunk_of(*k).linked.update(*k, f, at, limits.linked, limits.linked_entries);
  }
  ++events_since_images_;
}

void tenant_scorer::apply(const labels::batch& batch, log_offset at) {
  if (at <= folded_to_ || std::as_const(*this).chunk_of(tenant_key()).labels.contains(batch.id))
    return;
  const auto& limits = options_.limits;
  chunk_of(tenant_key()).labels.add(batch.id);
  for (const auto& l : batch.changes) {
    const auto by = l.frauds_by();
    if (by == 0)
      continue;
    chunk_of(tenant_key()).linked.add_frauds(tenant_key(), by, at, limits.linked, limits.linked_entries);
    for (const auto& k : l.entities)
      chunk_of(k).linked.add_frauds(k, by, at, limits.linked, limits.linked_entries);
  }
  ++events_since_images_;
}

result<void> tenant_scorer::load(const chunk_image& image) {
  if (auto ok = binary::load_chunk(image_format, image, chunks_); !ok)
    return ok;
  folded_to_ = std::max(folded_to_, image.as_of);
  return {};
}

std::vector<chunk_image> tenant_scorer::take_dirty_images(log_offset as_of) {
  events_since_images_ = 0;
  return binary::take_dirty<chunk_image>(image_format, chunks_, as_of);
}

result<chunk_image> rebased(const chunk_image& image, std::int64_t by, log_offset as_of) {
  return binary::rebased<chunk_count, chunk>(image_format, image, by, as_of);
}

} // namespace pulse::scoring
