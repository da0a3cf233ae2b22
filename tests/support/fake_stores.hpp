// Fakes of the stores that actors use, in memory and safe from several threads. What a database would keep is one
// `fake_database`; each actor's store is a view of it. Knobs: `away`, `commits_fail_next`.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "ports/control_store.hpp"
#include "ports/slot_store.hpp"

namespace pulse::test {

struct fake_database {
  mutable std::mutex mutex;
  std::map<slot_id, std::pair<log_offset, epoch>> positions;
  /// By (tenant, event id): what a primary key would keep.
  std::map<std::pair<tenant_id, std::string>, slot::processed> events;
  std::map<tenant_id, std::map<std::int32_t, slot::chunk_image>> images;
  std::map<tenant_id, log_offset> image_as_of;
  std::map<tenant_id, tenant_settings> tenants;
  std::vector<due_work> due;
  std::int64_t raw = 0;
  std::int64_t duplicates = 0;
  std::int64_t failed = 0;
  std::atomic<bool> away{false};
  std::atomic<int> commits_fail_next{0};
  std::atomic<int> settings_read{0};

  void add_tenant(std::int32_t number, std::int32_t slot) {
    const std::lock_guard hold(mutex);
    tenants[tenant_id{number}] = {tenant_id{number}, "shop", slot_id{slot}, 0, 0, "EUR", "UTC", false};
  }

  std::size_t stored() const {
    const std::lock_guard hold(mutex);
    return events.size();
  }
};

inline error is_away() {
  return {ec::unavailable, "the store is away", ""};
}

class fake_slot_store final : public slot_store {
public:
  explicit fake_slot_store(std::shared_ptr<fake_database> db) : db_(std::move(db)) {
  }

  result<slot_start> take_over(slot_id slot, const slot_claim& claim) override {
    const std::lock_guard hold(db_->mutex);
    if (db_->away)
      return is_away();
    slot_ = slot;
    auto& [position, held] = db_->positions[slot];
    if (held > claim.epoch)
      return error{ec::fenced, "a newer owner", ""};
    held = epoch_ = claim.epoch;
    return slot_start{position, held, {}, {}};
  }

  result<slot_start> take_over(slot_id slot) override {
    const std::lock_guard hold(db_->mutex);
    if (db_->away)
      return is_away();
    slot_ = slot;
    auto& [position, held] = db_->positions[slot];
    held = epoch_ = epoch{held.value + 1};
    return slot_start{position, held, {}, {}};
  }

  result<commit_outcome> commit(const slot::batch& batch) override {
    const std::lock_guard hold(db_->mutex);
    if (db_->away || db_->commits_fail_next.fetch_sub(1) > 0)
      return is_away();
    auto& [position, held] = db_->positions[slot_];
    if (held != epoch_)
      return error{ec::fenced, "a newer owner", ""};
    if (position != batch.from)
      return position == batch.to ? result<commit_outcome>(commit_outcome{}) : error{ec::fenced, "moved", ""};
    commit_outcome out;
    for (const auto& p : batch.results) {
      ++db_->raw;
      if (p.outcome == slot::outcome::failed)
        ++out.failed;
      else if (p.outcome == slot::outcome::stored)
        ++(!p.event.duplicate && db_->events.try_emplace({p.tenant, p.event.id.str()}, p).second ? out.stored
                                                                                                 : out.duplicates);
    }
    for (const auto& images : batch.images) {
      for (const auto& image : images.chunks)
        db_->images[images.tenant][image.chunk] = image;
      db_->image_as_of[images.tenant] = images.as_of;
    }
    db_->duplicates += out.duplicates;
    db_->failed += out.failed;
    position = batch.to;
    return out;
  }

  result<tenant_start> load(tenant_id tenant) override {
    const std::lock_guard hold(db_->mutex);
    if (db_->away)
      return is_away();
    tenant_start out;
    out.tenant = tenant;
    out.currency = "EUR";
    if (const auto as_of = db_->image_as_of.find(tenant); as_of != db_->image_as_of.end())
      out.as_of = as_of->second;
    for (const auto& [chunk, image] : db_->images[tenant])
      out.images.push_back(image);
    return out;
  }

  result<slot::artifact> fetch(tenant_id, const std::string&, const std::string&) override {
    return error{ec::not_found, "no such version", ""};
  }

private:
  std::shared_ptr<fake_database> db_;
  slot_id slot_;
  epoch epoch_;
};

class fake_control_store final : public control_store {
public:
  explicit fake_control_store(std::shared_ptr<fake_database> db) : db_(std::move(db)) {
  }

  result<tenant_settings> settings(tenant_id tenant) override {
    const std::lock_guard hold(db_->mutex);
    ++db_->settings_read;
    if (db_->away)
      return is_away();
    const auto found = db_->tenants.find(tenant);
    return found == db_->tenants.end() ? result<tenant_settings>(error{ec::not_found, "no such tenant", ""})
                                       : result<tenant_settings>(found->second);
  }

  result<std::vector<due_work>> due(const std::vector<slot_id>& slots, std::int64_t) override {
    const std::lock_guard hold(db_->mutex);
    std::vector<due_work> out;
    for (const auto& d : db_->due)
      if (std::find(slots.begin(), slots.end(), db_->tenants[d.tenant].slot) != slots.end())
        out.push_back(d);
    return out;
  }

  result<slot::control> publish(tenant_id, const std::string&, const std::string&, const std::string&,
                                const std::string&, const std::string&) override {
    return error{ec::unsupported, "the fake publishes nothing", ""};
  }

  result<void> keep(tenant_id, const std::string&, const std::string&, const std::string&, const std::string&,
                    const std::string&) override {
    return error{ec::unsupported, "the fake keeps nothing", ""};
  }

  result<void> note_on_card(tenant_id, const std::string&, const std::string&, const std::string&,
                            const std::string&) override {
    return {};
  }

  result<std::vector<slot::control>> pending_controls(tenant_id) override {
    return std::vector<slot::control>{};
  }

  result<void> schedule_training(tenant_id, training_kind, std::int64_t) override {
    return {};
  }

  result<void> end_training(tenant_id, training_kind) override {
    return {};
  }

  result<fraud::labelled_history> labelled(tenant_id, std::size_t, std::int64_t, std::int64_t) override {
    return fraud::labelled_history{};
  }

  result<feature_history> history(tenant_id, std::size_t, std::int64_t) override {
    return feature_history{};
  }

  result<std::vector<listed_model>> versions(tenant_id, const std::string&) override {
    return std::vector<listed_model>{};
  }

  result<std::string> version_bytes(tenant_id, const std::string&, const std::string&) override {
    return error{ec::not_found, "no such version", ""};
  }

  result<void> forgotten(tenant_id tenant) override {
    const std::lock_guard hold(db_->mutex);
    std::erase_if(db_->due, [&](const auto& d) { return d.tenant == tenant && d.kind == "forget"; });
    return {};
  }

  result<void> reschedule_controls(tenant_id) override {
    return {};
  }

private:
  std::shared_ptr<fake_database> db_;
};

} // namespace pulse::test
