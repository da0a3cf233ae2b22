// See tenant_scorer.hpp.
#include "models/risk/tenant_scorer.hpp"

#include <fmt/format.h>

namespace pulse::scoring {

namespace {

constexpr std::string_view magic = "PULSECHK";
constexpr std::uint16_t version = 1;

const key& tenant_key() {
  static const auto out = hash_parts({"tenant"});
  return out;
}

key name_key(const event& e) {
  return hash_parts({"name", e.name});
}

std::optional<key> customer_key(const event& e) {
  if (!e.customer.empty())
    return hash_parts({"customer", e.customer});
  if (!e.anonymous_id.empty())
    return hash_parts({"anonymous", e.anonymous_id});
  return std::nullopt;
}

std::optional<key> ip_key(const event& e) {
  if (e.ip.empty())
    return std::nullopt;
  return hash_parts({"ip", e.ip});
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

features::row tenant_scorer::feature_row(const event& e) const {
  features::history before;
  before.tenant = chunk_of(tenant_key()).populations.find(tenant_key());
  const auto name = name_key(e);
  before.same_name = chunk_of(name).populations.find(name);
  if (const auto customer = customer_key(e))
    before.customer = chunk_of(*customer).profiles.find(*customer);
  if (const auto ip = ip_key(e))
    before.ip = chunk_of(*ip).addresses.find(*ip);
  return features::compute(e, features::facts_of(e), before);
}

features::row tenant_scorer::score(event& e, log_offset at) {
  const auto row = feature_row(e);
  e.risk = assess(row, model_.get(), pooled_, options_.policy);
  fold(e, at);
  return row;
}

void tenant_scorer::replay(const event& e, log_offset at) {
  fold(e, at);
}

void tenant_scorer::fold(const event& e, log_offset at) {
  // The images hold everything up to folded_to_ already: folding it again would count it twice.
  if (e.test || e.duplicate || at <= folded_to_)
    return;
  const auto& limits = options_.limits;
  const auto f = features::facts_of(e);
  const auto name = name_key(e);
  chunk_of(tenant_key()).populations.update(tenant_key(), f, at, limits.populations, limits.window_entries);
  chunk_of(name).populations.update(name, f, at, limits.populations, limits.window_entries);
  if (const auto customer = customer_key(e))
    chunk_of(*customer).profiles.update(*customer, f, at, limits.profiles, limits.window_entries);
  if (const auto ip = ip_key(e))
    chunk_of(*ip).addresses.update(*ip, f, at, limits.addresses, limits.window_entries);
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
