#include "actors/store_writer/store_writer.hpp"

#include <future>

#include "models/slot/taps.hpp"

namespace pulse {

namespace {

constexpr auto tap_timeout = std::chrono::seconds(10);

std::vector<log_entry> entries_of(std::vector<slot::tap_record> records, epoch writer) {
  std::vector<log_entry> out;
  out.reserve(records.size());
  for (auto& r : records)
    out.push_back(
        {r.tenant, std::move(r.key), std::move(r.value), std::move(r.traceparent), std::move(r.source), writer});
  return out;
}

} // namespace

store_writer_state::store_writer_state(store_writer_actor::pointer p, context_ptr c, slot_id s,
                                       std::optional<slot_claim> by_lease) :
  self(p), context(std::move(c)), slot(s), claim(std::move(by_lease)), store(context->make_slot_store()) {
}

result<slot_start> store_writer_state::take_over() {
  auto start = claim ? store->take_over(slot, *claim) : store->take_over(slot);
  if (start)
    held = start->epoch;
  tapped.reset();
  return start;
}

result<void> store_writer_state::write_taps(const slot::batch& batch) {
  if (!context->taps || tapped == batch.seq)
    return {};
  auto taps = slot::taps_of(batch, slot);
  std::vector<std::future<result<log_offset>>> waits;
  for (auto& [topic, records] : {std::pair{log_topic::enriched, &taps.enriched},
                                 {log_topic::scored, &taps.scored},
                                 {log_topic::failed, &taps.failed},
                                 {log_topic::alerts, &taps.alerts}}) {
    if (records->empty())
      continue;
    const auto done = std::make_shared<std::promise<result<log_offset>>>();
    waits.push_back(done->get_future());
    context->log.append(topic, slot, entries_of(std::move(*records), held),
                        [done](result<log_offset> at) { done->set_value(std::move(at)); });
  }
  for (auto& wait : waits) {
    if (wait.wait_for(tap_timeout) != std::future_status::ready)
      return error{ec::timeout, "the log did not take the batch's taps in time", ""};
    if (const auto at = wait.get(); !at)
      return error{at.err().code, "writing the batch's taps: " + at.err().detail, ""};
  }
  tapped = batch.seq;
  return {};
}

/// What is late under a lease is tried again under the same epoch, once the lease is renewed.
result<commit_outcome> store_writer_state::commit(const slot::batch& batch) {
  if (claim && context->gate && !context->gate->may_store(slot, claim->epoch, context->time.monotonic_ms()))
    return error{ec::unavailable, "the slot's lease has to be renewed first", ""};
  const stage_timer timer(context->metrics, "storing");
  if (auto ok = write_taps(batch); !ok)
    return ok.err();
  return store->commit(batch);
}

result<tenant_load> store_writer_state::load(tenant_id tenant) {
  auto start = store->load(tenant);
  if (!start)
    return start.err();
  tenant_load out;
  out.as_of = start->as_of;
  out.set_aside = std::move(start->set_aside);
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
  for (const auto kind : slot::version_kinds) {
    const auto hash = *out.start.settings.hash_of(kind);
    if (hash.empty())
      continue;
    auto found = store->fetch(tenant, std::string(kind), hash);
    if (!found)
      return found.err();
    out.start.artifacts.push_back(std::move(*found));
  }
  return out;
}

store_writer_actor::behavior_type store_writer_state::make_behavior() {
  return {
      [this](take_over_atom) { return std::make_shared<result<slot_start>>(take_over()); },
      [this](commit_atom, const batch_ptr& b) { return std::make_shared<result<commit_outcome>>(commit(*b)); },
      [this](load_atom, tenant_id tenant) { return std::make_shared<result<tenant_load>>(load(tenant)); },
      [this](fetch_atom, tenant_id tenant, const std::string& kind, const std::string& hash) {
        return std::make_shared<result<slot::artifact>>(store->fetch(tenant, kind, hash));
      },
  };
}

} // namespace pulse
