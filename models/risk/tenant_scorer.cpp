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
  const auto f = features::facts_of(e);
  const auto row = row_of(e, f);
  const bool shared = model_ && pooled_;
  e.risk = assess(row, model_.get(), shared ? &std::as_const(*this).chunk_of(tenant_key()).scores : nullptr,
                  options_.policy);
  if (moves_state(e, at))
    fold(f, at, shared ? e.risk.anomaly : std::nullopt);
  return row;
}

void tenant_scorer::replay(const event& e, log_offset at) {
  if (!moves_state(e, at))
    return;
  const auto f = features::facts_of(e);
  fold(f, at, model_ && pooled_ ? std::optional(raw_score(row_of(e, f), *model_)) : std::nullopt);
}

/// The images hold everything up to folded_to_ already: folding it again would count it twice.
bool tenant_scorer::moves_state(const event& e, log_offset at) const {
  return !e.test && !e.duplicate && at > folded_to_;
}

void tenant_scorer::fold(const features::facts& f, log_offset at, std::optional<double> shared_raw) {
  const auto& limits = options_.limits;
  if (shared_raw)
    chunk_of(tenant_key()).scores.add(model_->id(), *shared_raw);
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
