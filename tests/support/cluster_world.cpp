#include "tests/support/cluster_world.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace pulse::test {

namespace {

constexpr std::int64_t tick_ms = 40;
/// After healing all has to be stored within this.
constexpr std::int64_t finish_ms_max = 40'000;

std::string name_of(std::size_t index) {
  return fmt::format("n{}", index);
}

} // namespace

cluster_world::cluster_world(std::uint64_t seed, cluster_setup setup) : setup_(setup), random_(seed) {
  rows_.slots = setup.slots;
  rows_.term_ms = setup.term_ms;
  rows_.position_epoch = [this](slot_id slot) {
    return slots_.at(slot).store.epoch;
  };
  for (int s = 0; s < setup.slots; ++s) {
    auto& rows = slots_[slot_id{s}];
    rows.period_ms = std::max<std::int64_t>(1, setup.heal_ms / setup.records_a_slot);
    for (int i = 0; i < setup.records_a_slot; ++i)
      rows.raw.push_back({log_offset{i}, tenant_id{static_cast<std::int32_t>(between(1, setup.tenants_a_slot))},
                          std::make_shared<const std::string>(fmt::format("order {} {}", s, i)), false});
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(setup.nodes); ++i) {
    node n;
    n.id = node_id{name_of(i)};
    // Two per cent off is a hundred times what a quartz does.
    n.clock_rate = std::uniform_real_distribution<double>(0.98, 1.02)(random_);
    n.clock_offset = between(0, 1'000'000'000);
    n.starts_at = i == 0 ? 0 : between(0, 4000);
    nodes_.push_back(std::move(n));
  }
  draw_faults();
}

bool cluster_world::chance(double p) {
  return p > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < p;
}

std::int64_t cluster_world::between(std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
}

void cluster_world::wrong(const std::string& what) {
  outcome_.violations.push_back(fmt::format("at {} ms: {}", now_, what));
}

void cluster_world::draw_faults() {
  if (setup_.only_database_away_ms > 0) {
    const auto at = setup_.heal_ms - setup_.only_database_away_ms;
    faults_.push_back({chance(0.5) ? fault_kind::database_away : fault_kind::database_hangs, 0, at, setup_.heal_ms});
    setup_.lost = setup_.repeated = 0;
    return;
  }
  const auto n = setup_.faults_max == 0 ? 0 : between(1, setup_.faults_max);
  for (std::int64_t i = 0; i < n; ++i) {
    fault f;
    f.kind = static_cast<fault_kind>(between(0, static_cast<int>(fault_kind::drain)));
    f.node = static_cast<std::size_t>(between(0, setup_.nodes - 1));
    // A clock that was set back makes leases last; that is to be over at healing.
    f.at = between(200, f.kind == fault_kind::database_jumps ? setup_.heal_ms / 2 : setup_.heal_ms - 100);
    f.until = std::min(setup_.heal_ms, f.at + between(50, 2 * setup_.term_ms + 1000));
    faults_.push_back(f);
  }
}

std::int64_t cluster_world::local(const node& n) const {
  return n.clock_offset + static_cast<std::int64_t>(static_cast<double>(now_) * n.clock_rate);
}

void cluster_world::later(std::int64_t delay, std::function<void()> what) {
  queue_.emplace(now_ + delay, std::move(what));
}

void cluster_world::start(node& n) {
  auto l = std::make_unique<one_life>();
  l->number = next_life_++;
  l->who = {n.id, fmt::format("{}-{}", n.id.value, l->number)};
  cluster::keeper_config config;
  config.self.id = n.id;
  config.self.incarnation = l->who.incarnation;
  config.term_ms = setup_.term_ms;
  config.dead_runs = n.dead_runs;
  config.handoff_ms_max = 4000;
  l->keeper = std::make_unique<cluster::keeper>(config);
  n.life = std::move(l);
  feed_keeper(n, [](auto& k, auto now, auto& out) { k.start(now, out); });
}

void cluster_world::end(node& n, bool predecessor_dead, std::int64_t restart_at) {
  if (predecessor_dead && n.life)
    n.dead_runs.push_back(n.life->who.incarnation);
  n.life.reset();
  n.starts_at = restart_at;
}

void cluster_world::begin(const fault& f) {
  auto& n = nodes_[f.node];
  switch (f.kind) {
    case fault_kind::cut: n.requests_cut_until = n.answers_cut_until = f.until; return;
    case fault_kind::cut_requests: n.requests_cut_until = f.until; return;
    case fault_kind::cut_answers: n.answers_cut_until = f.until; return;
    case fault_kind::pause: n.paused_until = f.until; return;
    case fault_kind::slow: n.slow_until = f.until; return;
    case fault_kind::database_away:
    case fault_kind::database_hangs:
      database_away_until_ = f.until;
      database_hangs_ = f.kind == fault_kind::database_hangs;
      return;
    case fault_kind::database_jumps: database_offset_ += between(-10'000, 10'000); return;
    case fault_kind::drain:
      if (n.life && n.paused_until <= now_)
        feed_keeper(n, [](auto& k, auto now, auto& out) { k.drain(now, out); });
      return;
    case fault_kind::crash: break;
  }
  if (!n.life)
    return;
  const bool proven = chance(0.7);
  const auto others = std::count_if(nodes_.begin(), nodes_.end(), [](const node& o) { return !o.gone_for_good; });
  n.gone_for_good = others > 2 && chance(0.15);
  if (!proven || n.gone_for_good)
    unproven_death_at_ = now_;
  end(n, proven, f.until);
}

/// Nothing is cut, away, slow or paused any more; whoever is to come back does so now.
void cluster_world::heal() {
  healed_ = true;
  for (auto& n : nodes_) {
    n.paused_until = std::min(n.paused_until, now_);
    n.starts_at = std::min(n.starts_at, now_);
  }
}

void cluster_world::tick(std::size_t index) {
  auto& n = nodes_[index];
  later(tick_ms, [this, index] { tick(index); });
  if (n.paused_until > now_ || n.gone_for_good)
    return;
  if (!n.life) {
    if (n.starts_at <= now_)
      start(n);
    return;
  }
  feed_keeper(n, [](auto& k, auto now, auto& out) { k.tick(now, out); });
  if (!n.life)
    return;
  std::vector<std::pair<slot_id, pulse::epoch>> running;
  for (const auto& [slot, o] : n.life->owners)
    if (o.machine)
      running.emplace_back(slot, o.epoch);
  const auto life = n.life->number;
  for (const auto& [slot, epoch] : running)
    feed_owner(index, life, slot, epoch, 0, [](owner& o, time_ms now, auto& out) { o.machine->tick(now, out); });
}

/// An owner that may send what it has to the store.
bool cluster_world::is_effective(const node& n, slot_id slot, const owner& o) const {
  if (!o.machine)
    return false;
  const auto until = n.life->keeper->store_until(slot, o.epoch);
  return until && local(n) < *until + (setup_.lease_kept_too_long ? setup_.term_ms : 0);
}

void cluster_world::check_owners() {
  if (std::none_of(nodes_.begin(), nodes_.end(), [](const node& n) { return n.life && !n.life->keeper->draining(); }))
    all_leaving_at_ = now_;
  std::vector<int> owners(slots_.size());
  for (const auto& n : nodes_) {
    if (!n.life || n.paused_until > now_)
      continue;
    for (const auto& [slot, o] : n.life->owners)
      owners[static_cast<std::size_t>(slot.value)] += is_effective(n, slot, o) ? 1 : 0;
  }
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (owners[i] > 1)
      wrong(fmt::format("slot {} has {} effective owners", i, owners[i]));
    if (owners[i] == 1 && healed_)
      owned_at_.try_emplace(slot_id{static_cast<std::int32_t>(i)}, now_);
  }
}

bool cluster_world::all_stored() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const auto& s) {
    return s.second.store.position == static_cast<std::int64_t>(s.second.raw.size());
  });
}

/// What there is to know about a slot, for the report of a seed that failed.
std::string cluster_world::describe(slot_id slot) const {
  const auto& l = rows_.leases.at(slot);
  auto out = fmt::format("lease: holder '{}' ({}), heads to '{}', epoch {}, {} ms left; position under {}",
                         l.holder.value, l.incarnation, l.heading.value, l.epoch.value,
                         l.expires.value - database_offset_ - now_, slots_.at(slot).store.epoch);
  for (const auto& n : nodes_) {
    if (!n.life) {
      out += fmt::format("; {} is down{}", n.id.value, n.gone_for_good ? " for good" : "");
      continue;
    }
    const auto row = rows_.nodes.find(n.id);
    out += fmt::format("; {} {}{}{}", n.life->who.incarnation, n.life->keeper->joined() ? "joined" : "not joined",
                       n.life->keeper->draining() ? ", draining" : "",
                       n.life->keeper->leading(local(n)) ? ", leading" : "");
    if (row != rows_.nodes.end())
      out += fmt::format(", row {} {} ms old", row->second.incarnation,
                         database_offset_ + now_ - row->second.heartbeat.value);
    const auto o = n.life->owners.find(slot);
    if (o != n.life->owners.end())
      out += fmt::format(", has it under {}{}", o->second.epoch.value, o->second.machine ? ", running" : "");
    for (const auto& h : n.life->keeper->held())
      if (h.slot == slot)
        out += fmt::format(", keeps it under {}", h.epoch.value);
  }
  return out;
}

/// Each record once, with the score that it has when nothing ever happens.
void cluster_world::check_stored() {
  for (const auto& [slot, rows] : slots_) {
    std::map<tenant_id, hashing_child> straight;
    for (const auto& item : rows.raw) {
      const auto effects = rows.store.effects.find(item.offset.value);
      if (effects == rows.store.effects.end() || effects->second.size() != 1) {
        wrong(fmt::format("slot {}: offset {} was stored {} times", slot.value, item.offset.value,
                          effects == rows.store.effects.end() ? 0 : effects->second.size()));
        continue;
      }
      auto& child = straight.try_emplace(item.tenant, std::map<std::int32_t, slot::chunk_image>{}, false).first->second;
      const auto want = child.work({0, item.tenant, false, false, {item}, {}}).results.front().event.risk.score;
      if (effects->second.front().event.risk.score != want)
        wrong(fmt::format("slot {}: offset {} has another score", slot.value, item.offset.value));
    }
  }
}

cluster_outcome cluster_world::run() {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    later(static_cast<std::int64_t>(i), [this, i] { tick(i); });
  for (const auto& f : faults_)
    later(f.at, [this, f] { begin(f); });
  later(setup_.heal_ms, [this] { heal(); });
  while (now_ < setup_.heal_ms + finish_ms_max && outcome_.violations.size() < 10) {
    if (healed_ && owned_at_.size() == slots_.size() && all_stored())
      break;
    auto next = queue_.extract(queue_.begin());
    now_ = next.key();
    next.mapped()();
    ++outcome_.steps;
    check_owners();
  }
  // A holder of whom nobody can know that it is dead is waited for.
  const auto bound = std::max({setup_.heal_ms, unproven_death_at_, all_leaving_at_}) + setup_.term_ms + 2000;
  for (const auto& [slot, rows] : slots_) {
    const auto at = owned_at_.find(slot);
    if (at == owned_at_.end() || at->second > bound)
      wrong(fmt::format("slot {} was owned {} ms after healing; {}", slot.value,
                        at == owned_at_.end() ? -1 : at->second - setup_.heal_ms, describe(slot)));
    else
      outcome_.owned_after_ms = std::max(outcome_.owned_after_ms, at->second - setup_.heal_ms);
  }
  check_stored();
  outcome_.moves = static_cast<std::int64_t>(rows_.history.size());
  return outcome_;
}

} // namespace pulse::test
