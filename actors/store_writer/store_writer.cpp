#include "actors/store_writer/store_writer.hpp"

namespace pulse {

store_writer_state::store_writer_state(store_writer_actor::pointer p, context_ptr c, slot_id s,
                                       std::optional<slot_claim> by_lease) :
  self(p), context(std::move(c)), slot(s), claim(std::move(by_lease)), store(context->make_slot_store()) {
}

/// What is late is tried again under the same epoch, once the lease is renewed.
result<commit_outcome> store_writer_state::commit(const slot::batch& batch) {
  if (claim && context->gate && !context->gate->may_store(slot, claim->epoch, context->time.monotonic_ms()))
    return error{ec::unavailable, "the slot's lease has to be renewed first", ""};
  return store->commit(batch);
}

result<tenant_load> store_writer_state::load(tenant_id tenant) {
  auto start = store->load(tenant);
  if (!start)
    return start.err();
  tenant_load out;
  out.as_of = start->as_of;
  out.start.tenant = tenant;
  out.start.settings.currency = start->currency;
  for (auto& image : start->images) {
    if (image.chunk != slot::control_chunk) {
      out.start.images.push_back(std::move(image));
      continue;
    }
    auto in_force = slot::decode_in_force(image.bytes);
    if (!in_force)
      return in_force.err();
    out.start.settings = *in_force;
  }
  const auto& names = out.start.settings;
  for (const auto& [kind, hash] :
       {std::pair<std::string, std::string>{"mapping", names.mapping}, {"model", names.model}}) {
    if (hash.empty())
      continue;
    auto found = store->fetch(tenant, kind, hash);
    if (!found)
      return found.err();
    out.start.artifacts.push_back(std::move(*found));
  }
  return out;
}

store_writer_actor::behavior_type store_writer_state::make_behavior() {
  return {
      [this](take_over_atom) {
        return std::make_shared<result<slot_start>>(claim ? store->take_over(slot, *claim) : store->take_over(slot));
      },
      [this](commit_atom, const batch_ptr& b) { return std::make_shared<result<commit_outcome>>(commit(*b)); },
      [this](load_atom, tenant_id tenant) { return std::make_shared<result<tenant_load>>(load(tenant)); },
      [this](fetch_atom, tenant_id tenant, const std::string& kind, const std::string& hash) {
        return std::make_shared<result<slot::artifact>>(store->fetch(tenant, kind, hash));
      },
  };
}

} // namespace pulse
