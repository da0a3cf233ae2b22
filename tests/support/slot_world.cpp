#include "tests/support/slot_world.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

namespace pulse::test {

namespace {

/// Zombies go on for the rest of the run; a few are as good as many.
constexpr std::size_t owners_max = 8;

} // namespace

slot_world::slot_world(std::uint64_t seed, std::vector<slot::item> raw, child_maker maker, world_faults faults,
                       slot::machine_config config) :
  random_(seed), raw_(std::move(raw)), maker_(std::move(maker)), faults_(faults), config_(config) {
}

bool slot_world::chance(double p) {
  return p > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < p;
}

void slot_world::take_over() {
  for (auto& o : owners_)
    o->zombie = true;
  ++store_.epoch;
  auto o = std::make_unique<owner>(
      owner{store_.epoch, slot::machine(config_, log_offset{store_.position}, store_.dirty()), {}});
  owners_.push_back(std::move(o));
  auto& fresh = *owners_.back();
  std::vector<slot::action> actions;
  fresh.machine.start(now_, actions);
  act(fresh, actions);
}

void slot_world::call(owner& o) {
  // Some of them never sent anything.
  const tenant_id tenant{static_cast<std::int32_t>(random_() % 8) + 1};
  std::vector<slot::action> actions;
  o.machine.on_call(tenant, now_, actions);
  act(o, actions);
  if (o.machine.is_live(tenant) && !o.children.contains(tenant))
    violations_.push_back("a tenant is live and has no children");
}

void slot_world::later(owner& o, deed what, std::int64_t within_ms) {
  const auto at = now_.value + 1 + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(within_ms));
  queue_.emplace(at, std::pair{&o, std::move(what)});
}

bool slot_world::run() {
  take_over();
  for (int steps = 0; steps < 2'000'000; ++steps) {
    auto& current = *owners_.back();
    const auto raw_end = static_cast<std::int64_t>(raw_.size());
    if (store_.position == raw_end && !current.draining) {
      current.draining = true;
      std::vector<slot::action> actions;
      current.machine.drain(now_, actions);
      act(current, actions);
    }
    if (current.draining && current.machine.drained())
      return true;
    if (!current.draining && owners_.size() < owners_max && chance(faults_.owner_changes))
      take_over();
    if (chance(faults_.called))
      call(*owners_[random_() % owners_.size()]);
    if (queue_.empty() || queue_.begin()->first > now_.value + 25) {
      now_.value += 25;
      for (std::size_t i = 0; i < owners_.size(); ++i) {
        std::vector<slot::action> actions;
        owners_[i]->machine.tick(now_, actions);
        act(*owners_[i], actions);
      }
      continue;
    }
    auto next = queue_.extract(queue_.begin());
    now_.value = std::max(now_.value, next.key());
    std::vector<slot::action> actions;
    next.mapped().second(actions);
    act(*next.mapped().first, actions);
  }
  return false;
}

void slot_world::act(owner& o, std::vector<slot::action>& actions) {
  for (auto& a : actions) {
    if (auto* x = std::get_if<slot::read_action>(&a))
      read(o, *x);
    else if (auto* y = std::get_if<slot::load_action>(&a))
      load(o, *y);
    else if (auto* z = std::get_if<slot::replay_read_action>(&a))
      replay(o, *z);
    else if (auto* s = std::get_if<slot::send_action>(&a))
      send(o, std::move(*s));
    else if (auto* c = std::get_if<slot::commit_action>(&a))
      commit(o, *c);
    else if (auto* r = std::get_if<slot::release_action>(&a))
      o.children.erase(r->tenant);
    else if (auto* f = std::get_if<slot::stop_action>(&a); f != nullptr && !o.zombie)
      violations_.push_back("the owner was stopped: " + f->why.detail);
  }
}

void slot_world::read(owner& o, const slot::read_action& a) {
  later(o, [this, &o, a](auto& out) {
    const auto size = raw_.size();
    const auto from = static_cast<std::size_t>(a.from.value);
    // Batches are cut anywhere.
    const auto n = std::min({a.events_max, size - from, static_cast<std::size_t>(random_() % 40 + 1)});
    std::vector<slot::item> items(raw_.begin() + a.from.value, raw_.begin() + static_cast<std::ptrdiff_t>(from + n));
    o.machine.on_records(std::move(items), from + n < size, now_, out);
  });
}

void slot_world::load(owner& o, const slot::load_action& a) {
  later(o, [this, &o, a](auto& out) {
    if (chance(faults_.load_fails)) {
      o.machine.on_load_failed(a.tenant, a.incarnation, {ec::unavailable, "the store is away", ""}, now_, out);
      return;
    }
    auto as_of = store_.as_of(a.tenant);
    // The tenant's own mark may lag behind its chunks': what the chunks hold already must not be folded again.
    if (faults_.as_of_lags)
      as_of = std::max<std::int64_t>(-1, as_of - static_cast<std::int64_t>(random_() % 50));
    std::vector<log_offset> set_aside;
    if (!faults_.without_set_aside)
      set_aside = store_.set_aside(a.tenant, as_of);
    // What was read may be old when it arrives: a batch may be stored meanwhile.
    later(o, [this, &o, a, as_of, set_aside, images = store_.images[a.tenant]](auto& more) {
      o.children[a.tenant] = {a.incarnation, maker_.make(a.tenant, images)};
      o.machine.on_loaded(a.tenant, a.incarnation, log_offset{as_of}, set_aside, now_, more);
    });
  });
}

void slot_world::replay(owner& o, const slot::replay_read_action& a) {
  later(o, [this, &o, a](auto& out) {
    const auto stretch = static_cast<std::int64_t>(random_() % 60 + 1);
    const auto next = std::min(a.to.value, a.from.value + stretch);
    std::vector<slot::item> items;
    for (auto i = a.from.value; i < next; ++i)
      if (raw_[static_cast<std::size_t>(i)].tenant == a.tenant)
        items.push_back(raw_[static_cast<std::size_t>(i)]);
    o.machine.on_replay(a.tenant, a.incarnation, std::move(items), log_offset{next}, now_, out);
  });
}

void slot_world::send(owner& o, slot::send_action a) {
  later(o, [this, &o, a = std::move(a)](auto& out) {
    const auto tenant = a.part.tenant;
    const auto it = o.children.find(tenant);
    if (it == o.children.end() || it->second.first != a.incarnation || chance(faults_.child_killed)) {
      // Killed before or after it worked: the answer is lost either way.
      if (it != o.children.end())
        o.children.erase(it);
      o.machine.on_part_failed(tenant, a.part.request, slot::loss::gone, "killed", now_, out);
      return;
    }
    try {
      auto answer = it->second.second->work(a.part);
      answer.request = a.part.request;
      answer.tenant = tenant;
      later(o, [this, &o, answer = std::move(answer)](auto& more) { o.machine.on_part_done(answer, now_, more); });
    } catch (const std::runtime_error& e) {
      o.children.erase(tenant);
      o.machine.on_part_failed(tenant, a.part.request, slot::loss::threw, e.what(), now_, out);
    }
  });
}

void slot_world::commit(owner& o, const slot::commit_action& a) {
  later(o, [this, &o, b = a.batch](auto& out) {
    if (chance(faults_.commit_fails)) {
      o.machine.on_commit_failed(b->seq, {ec::unavailable, "the store is away", ""}, now_, out);
      return;
    }
    const auto done = store_.apply(o.epoch, *b, faults_, violations_);
    if (!done)
      o.machine.on_commit_failed(b->seq, done.err(), now_, out);
    else if (chance(faults_.answer_of_commit_lost))
      o.machine.on_commit_failed(b->seq, {ec::timeout, "no answer to the commit", ""}, now_, out);
    else
      o.machine.on_committed(b->seq, now_, out);
  });
}

result<void> world_store::apply(std::int64_t by_epoch, const slot::batch& b, const world_faults& faults,
                                std::vector<std::string>& violations) {
  if (!faults.without_epoch_check && by_epoch != epoch)
    return error{ec::fenced, "a newer owner holds the slot", ""};
  if (!faults.without_epoch_check && b.from.value != position) {
    // The answer to the commit was lost: it is there.
    if (b.to.value == position)
      return {};
    return error{ec::fenced, fmt::format("position {} is not {}", position, b.from.value), ""};
  }
  if (b.to.value < position)
    violations.push_back("a position went back");
  position = b.to.value;
  for (const auto& p : b.results) {
    if (p.outcome == slot::outcome::stored) {
      const bool fresh = event_ids.insert(p.event.message_id).second || faults.without_deduplication;
      if (fresh)
        ++stored_times[p.event.message_id];
      else
        ++duplicates;
    }
    effects[p.offset.value].push_back(p);
    last_offset[p.tenant] = std::max(last_offset[p.tenant], p.offset.value);
  }
  for (const auto& of_tenant : b.images) {
    for (const auto& image : of_tenant.chunks)
      images[of_tenant.tenant][image.chunk] = image;
    image_as_of[of_tenant.tenant] = of_tenant.as_of.value;
  }
  return {};
}

std::vector<slot::dirty_tenant> world_store::dirty() const {
  std::vector<slot::dirty_tenant> out;
  for (const auto& [tenant, last] : last_offset) {
    const auto mark = as_of(tenant);
    if (last > mark)
      out.push_back({tenant, log_offset{mark}, log_offset{last}});
  }
  return out;
}

std::int64_t world_store::as_of(tenant_id tenant) const {
  const auto found = image_as_of.find(tenant);
  return found == image_as_of.end() ? -1 : found->second;
}

std::vector<log_offset> world_store::set_aside(tenant_id tenant, std::int64_t above) const {
  std::vector<log_offset> out;
  for (auto it = effects.upper_bound(above); it != effects.end(); ++it)
    if (it->second.front().tenant == tenant && it->second.front().outcome == slot::outcome::failed)
      out.push_back(log_offset{it->first});
  return out;
}

} // namespace pulse::test
