// See tenant_scorer.hpp.
#include "models/risk/tenant_scorer.hpp"

#include <fmt/format.h>

namespace pulse::scoring {

namespace {

constexpr std::string_view magic = "PULSECHK";
constexpr std::uint16_t version = 2;

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

result<void> tenant_scorer::set_model(std::shared_ptr<const detection::model> model, bool pooled) {
  if (model && model->features() != features::names())
    return error{
        ec::invalid, fmt::format("model {} was fitted on other features than this program computes", model->id()), {}};
  model_ = std::move(model);
  pooled_ = pooled;
  return {};
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
  if (!model_) {
    for (auto& r : run)
      r.e->risk = unscored(options_.policy);
    return;
  }
  const auto scored = score_rows(rows, *model_);
  for (std::size_t i = 0; i < run.size(); ++i) {
    auto& e = *run[i].e;
    const auto* own = learns_usual() ? &std::as_const(*this).chunk_of(tenant_key()).scores : nullptr;
    e.risk = assess(rows[i], *model_, scored[i], own, options_.policy);
    if (own != nullptr && moves_state(e, run[i].at))
      chunk_of(tenant_key()).scores.add(model_->id(), scored[i].raw);
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
    chunk_of(tenant_key()).scores.add(model_->id(), s.raw);
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
  ++events_since_images_;
}

result<void> tenant_scorer::load(const chunk_image& image) {
  const auto broken = [&](std::string_view why) {
    return error{ec::corrupt, fmt::format("image of chunk {} as of {}: {}", image.chunk, image.as_of.value, why), {}};
  };
  if (image.chunk < 0 || image.chunk >= chunk_count)
    return broken("there is no such chunk");
  const auto payload = binary::unseal(magic, version, image.bytes);
  if (!payload)
    return broken(payload.err().detail);
  binary::reader in(*payload);
  const auto number = in.get<std::uint8_t>();
  const auto as_of = in.get<std::int64_t>();
  if (number != image.chunk || as_of != image.as_of.value)
    return broken("is that of another chunk or offset");
  chunk loaded;
  if (!loaded.read(in) || !in.at_end())
    return broken("its content is impossible");
  chunks_[static_cast<std::size_t>(image.chunk)] = std::move(loaded);
  folded_to_ = std::max(folded_to_, image.as_of);
  return {};
}

std::vector<chunk_image> tenant_scorer::take_dirty_images(log_offset as_of) {
  std::vector<chunk_image> out;
  for (int i = 0; i < chunk_count; ++i) {
    auto& c = chunks_[static_cast<std::size_t>(i)];
    if (!c.dirty)
      continue;
    binary::writer payload;
    payload.put(static_cast<std::uint8_t>(i));
    payload.put(as_of.value);
    c.write(payload);
    out.push_back({i, as_of, binary::seal(magic, version, payload.bytes())});
    c.dirty = false;
  }
  events_since_images_ = 0;
  return out;
}

} // namespace pulse::scoring
