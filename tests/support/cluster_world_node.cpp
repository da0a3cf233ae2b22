// One virtual node: what its keeper and its slots ask for, carried out over a network that loses, delays and repeats.
#include <algorithm>
#include <fmt/format.h>

#include "tests/support/cluster_world.hpp"

namespace pulse::test {

namespace {

/// A caller gives up on an answer after this.
constexpr std::int64_t answer_ms_max = 1000;
/// What was sent twice arrives the second time up to this late.
constexpr std::int64_t repeat_ms_max = 2000;

slot::machine_config small_machine() {
  slot::machine_config c;
  c.batch_events_max = 20;
  c.image_events = 15;
  c.idle_ms = 3000;
  return c;
}

} // namespace

std::int64_t cluster_world::latency(const node& n) {
  return between(1, 4) + (n.slow_until > now_ ? between(20, 700) : 0);
}

/// Runs on the node unless it has ended by then; a stopped node does it when it goes on.
void cluster_world::on_node(std::size_t index, std::int64_t life, std::int64_t delay, std::function<void(node&)> what) {
  later(delay, [this, index, life, what = std::move(what)]() mutable {
    auto& n = nodes_[index];
    if (!n.life || n.life->number != life)
      return;
    if (n.paused_until > now_) {
      on_node(index, life, n.paused_until - now_, std::move(what));
      return;
    }
    what(n);
  });
}

template <class Answer>
void cluster_world::ask(std::size_t index, std::function<result<Answer>()> execute,
                        std::function<void(node&, const result<Answer>&)> done) {
  auto& n = nodes_[index];
  const auto life = n.life->number;
  const auto answered = std::make_shared<bool>(false);
  const auto answer = [this, index, life, done, answered](std::int64_t delay, result<Answer> r, bool again) {
    on_node(index, life, delay, [done, answered, r = std::move(r), again](node& there) {
      if (!again && std::exchange(*answered, true))
        return;
      done(there, r);
    });
  };
  answer(answer_ms_max, error{ec::timeout, "no answer", ""}, false);
  const bool lost = n.requests_cut_until > now_ || (!healed_ && chance(setup_.lost));
  if (lost)
    return;
  const auto arrive = [this, index, life, execute, answer](bool again) {
    if (again && healed_)
      return;
    const auto& sender = nodes_[index];
    if (unproven_death_at_ >= 0 && (!sender.life || sender.life->number != life))
      unproven_death_at_ = now_; // the last that was heard of it
    if (database_away_until_ > now_) {
      if (!database_hangs_ && !again)
        answer(1, error{ec::unavailable, "the database is away", ""}, false);
      return;
    }
    auto r = execute();
    auto& there = nodes_[index];
    if (again || there.answers_cut_until > now_ || (!healed_ && chance(setup_.lost)))
      return;
    if (!healed_ && chance(setup_.repeated))
      answer(between(5, repeat_ms_max), r, true);
    answer(latency(there), std::move(r), false);
  };
  later(latency(n), [arrive] { arrive(false); });
  if (!healed_ && chance(setup_.repeated))
    later(between(5, repeat_ms_max), [arrive] { arrive(true); });
}

void cluster_world::feed_keeper(node& n, const keeper_feed& feed) {
  std::vector<cluster::action> out;
  feed(*n.life->keeper, local(n), out);
  const auto life = n.life->number;
  for (const auto& a : out)
    if (n.life && n.life->number == life)
      carry_out(n, a);
}

void cluster_world::ask_view(std::size_t index, std::uint64_t request, std::function<result<cluster::view>()> execute) {
  ask<cluster::view>(index, std::move(execute), [this, request](node& n, const auto& r) {
    feed_keeper(n, [&](auto& k, auto now, auto& out) {
      r ? k.on_view(request, *r, now, out) : k.on_failed(request, r.err(), now, out);
    });
  });
}

void cluster_world::carry_out(node& n, const cluster::action& a) {
  const auto index = static_cast<std::size_t>(&n - nodes_.data());
  const auto store = std::make_shared<fake_cluster_store>(rows_, [this] { return time_ms{database_offset_ + now_}; });
  const auto me = n.life->who;
  if (const auto* look = std::get_if<cluster::look_action>(&a)) {
    ask_view(index, look->request, [store] { return store->look(); });
  } else if (const auto* beat = std::get_if<cluster::beat_action>(&a)) {
    ask_view(index, beat->request, [store, me, b = *beat] { return store->beat(me, b.state, b.load, b.leases); });
  } else if (const auto* join = std::get_if<cluster::join_action>(&a)) {
    ask<void>(
        index, [store, j = *join] { return store->join(j.self, j.previous); },
        [this, request = join->request](node& there, const auto& r) {
          feed_keeper(there, [&](auto& k, auto now, auto& out) {
            r ? k.on_joined(request, now, out) : k.on_failed(request, r.err(), now, out);
          });
        });
  } else if (const auto* take = std::get_if<cluster::take_action>(&a)) {
    ask<std::vector<cluster::held_lease>>(
        index, [store, me, t = *take] { return store->take(me, t.leases); },
        [this, request = take->request](node& there, const auto& r) {
          feed_keeper(there, [&](auto& k, auto now, auto& out) {
            r ? k.on_taken(request, *r, now, out) : k.on_failed(request, r.err(), now, out);
          });
        });
  } else if (const auto* release = std::get_if<cluster::release_action>(&a)) {
    ask<void>(
        index, [store, me, r = *release] { return store->release(me, r.slot, r.epoch); },
        [this, request = release->request](node& there, const auto& r) {
          feed_keeper(there, [&](auto& k, auto now, auto& out) {
            r ? k.on_released(request, now, out) : k.on_failed(request, r.err(), now, out);
          });
        });
  } else if (const auto* place = std::get_if<cluster::place_action>(&a)) {
    ask<std::int64_t>(
        index, [store, me, p = *place] { return store->place(me, p.epoch, p.assignments); },
        [this, request = place->request](node& there, const auto& r) {
          feed_keeper(there, [&](auto& k, auto now, auto& out) {
            r ? k.on_placed(request, now, out) : k.on_failed(request, r.err(), now, out);
          });
        });
  } else if (const auto* started = std::get_if<cluster::start_action>(&a)) {
    ++outcome_.takes;
    start_slot(n, started->slot, started->epoch);
  } else if (const auto* stopped = std::get_if<cluster::stop_action>(&a)) {
    stop_slot(n, *stopped);
  } else if (std::holds_alternative<cluster::drained_action>(a) ||
             std::holds_alternative<cluster::superseded_action>(a)) {
    end(n, true, now_ + between(100, 1500));
  }
}

/// The take-over: whoever has the higher epoch owns the position from here on.
void cluster_world::start_slot(node& n, slot_id slot, pulse::epoch epoch) {
  const auto index = static_cast<std::size_t>(&n - nodes_.data());
  const auto [known, fresh] = life_of_epoch_.try_emplace({slot, epoch}, n.life->number);
  if (known->second != n.life->number)
    wrong(fmt::format("epoch {} of slot {} was given twice", epoch.value, slot.value));
  auto& o = n.life->owners[slot];
  o = owner{epoch, {}, {}, false};
  ask<take_over_answer>(
      index,
      [this, slot, epoch]() -> result<take_over_answer> {
        auto& store = slots_.at(slot).store;
        if (store.epoch > epoch.value)
          return error{ec::fenced, "a newer owner has the slot", ""};
        store.epoch = epoch.value;
        return take_over_answer{log_offset{store.position}, store.dirty()};
      },
      [this, slot, epoch](node& there, const auto& r) {
        const auto it = there.life->owners.find(slot);
        if (it == there.life->owners.end() || it->second.epoch != epoch || it->second.machine)
          return;
        if (r) {
          it->second.machine.emplace(small_machine(), r->position, r->dirty);
          step_owner(there, slot, it->second,
                     [](owner& fresh_one, time_ms now, auto& out) { fresh_one.machine->start(now, out); });
        } else if (r.err().code == ec::fenced) {
          feed_keeper(there, [&](auto& k, auto now, auto& out) { k.on_fenced(slot, epoch, now, out); });
        } else {
          start_slot(there, slot, epoch);
        }
      });
}

void cluster_world::stop_slot(node& n, const cluster::stop_action& a) {
  const auto it = n.life->owners.find(a.slot);
  const bool here = it != n.life->owners.end() && it->second.epoch == a.epoch;
  if (here && a.graceful && it->second.machine) {
    it->second.stopping = true;
    step_owner(n, a.slot, it->second, [](owner& o, time_ms now, auto& out) { o.machine->drain(now, out); });
    return;
  }
  if (here)
    n.life->owners.erase(it);
  if (a.graceful)
    feed_keeper(n, [&](auto& k, auto now, auto& out) { k.on_stopped(a.slot, a.epoch, now, out); });
}

void cluster_world::feed_owner(std::size_t index, std::int64_t life, slot_id slot, pulse::epoch epoch,
                               std::int64_t delay, owner_feed feed) {
  const auto here = [this, life, slot, epoch, feed = std::move(feed)](node& n) {
    if (!n.life || n.life->number != life)
      return;
    const auto it = n.life->owners.find(slot);
    if (it != n.life->owners.end() && it->second.epoch == epoch && it->second.machine)
      step_owner(n, slot, it->second, feed);
  };
  if (delay == 0)
    here(nodes_[index]);
  else
    on_node(index, life, delay, here);
}

void cluster_world::step_owner(node& n, slot_id slot, owner& o, const owner_feed& feed) {
  const auto index = static_cast<std::size_t>(&n - nodes_.data());
  const auto epoch = o.epoch;
  std::vector<slot::action> out;
  feed(o, time_ms{local(n)}, out);
  for (auto& a : out) {
    if (const auto* stop = std::get_if<slot::stop_action>(&a)) {
      feed_keeper(n, [&](auto& k, auto now, auto& more) { k.on_fenced(slot, epoch, now, more); });
      (void)stop;
      return;
    }
    act(index, slot, o, a);
  }
  if (o.stopping && o.machine->drained()) {
    n.life->owners.erase(slot);
    feed_keeper(n, [&](auto& k, auto now, auto& more) { k.on_stopped(slot, epoch, now, more); });
  }
}

std::int64_t cluster_world::visible_end(const slot_rows& s) const {
  return std::min<std::int64_t>(static_cast<std::int64_t>(s.raw.size()), now_ / s.period_ms);
}

void cluster_world::act(std::size_t index, slot_id slot, owner& o, slot::action& a) {
  const auto life = nodes_[index].life->number;
  const auto& raw = slots_.at(slot).raw;
  if (const auto* r = std::get_if<slot::read_action>(&a)) {
    feed_owner(index, life, slot, o.epoch, between(1, 10),
               [this, slot, &raw, r = *r](owner& x, time_ms now, auto& out) {
                 const auto end = visible_end(slots_.at(slot));
                 const auto n = std::min<std::int64_t>(static_cast<std::int64_t>(r.events_max),
                                                       std::max<std::int64_t>(0, end - r.from.value));
                 std::vector<slot::item> items(raw.begin() + r.from.value, raw.begin() + r.from.value + n);
                 x.machine->on_records(std::move(items), r.from.value + n < end, now, out);
                 // No log tells this world of new records: it asks.
                 x.machine->on_wake(now, out);
               });
  } else if (const auto* l = std::get_if<slot::load_action>(&a)) {
    load(index, slot, o, *l);
  } else if (const auto* p = std::get_if<slot::replay_read_action>(&a)) {
    feed_owner(index, life, slot, o.epoch, between(1, 10), [&raw, p = *p](owner& x, time_ms now, auto& out) {
      std::vector<slot::item> items;
      for (auto i = p.from.value; i < p.to.value; ++i)
        if (raw[static_cast<std::size_t>(i)].tenant == p.tenant)
          items.push_back(raw[static_cast<std::size_t>(i)]);
      x.machine->on_replay(p.tenant, p.incarnation, std::move(items), p.to, now, out);
    });
  } else if (auto* s = std::get_if<slot::send_action>(&a)) {
    send(index, slot, o, std::move(*s));
  } else if (const auto* c = std::get_if<slot::commit_action>(&a)) {
    commit(index, slot, o, *c);
  } else if (const auto* d = std::get_if<slot::release_action>(&a)) {
    o.children.erase(d->tenant);
  }
}

void cluster_world::load(std::size_t index, slot_id slot, owner& o, const slot::load_action& a) {
  struct loaded {
    std::map<std::int32_t, slot::chunk_image> images;
    std::int64_t as_of;
    std::vector<log_offset> set_aside;
  };
  ask<loaded>(
      index,
      [this, slot, a]() -> result<loaded> {
        auto& store = slots_.at(slot).store;
        const auto as_of = store.as_of(a.tenant);
        return loaded{store.images[a.tenant], as_of, store.set_aside(a.tenant, as_of)};
      },
      [this, slot, a, epoch = o.epoch](node& n, const auto& r) {
        const auto at = static_cast<std::size_t>(&n - nodes_.data());
        feed_owner(at, n.life->number, slot, epoch, 0, [&](owner& x, time_ms now, auto& out) {
          if (!r) {
            x.machine->on_load_failed(a.tenant, a.incarnation, r.err(), now, out);
            return;
          }
          // Answered twice.
          if (const auto known = x.children.find(a.tenant);
              known != x.children.end() && known->second.first >= a.incarnation)
            return;
          x.children[a.tenant] = {a.incarnation, std::make_unique<hashing_child>(r->images, false)};
          x.machine->on_loaded(a.tenant, a.incarnation, log_offset{r->as_of}, r->set_aside, now, out);
        });
      });
}

void cluster_world::send(std::size_t index, slot_id slot, owner& o, slot::send_action a) {
  const auto life = nodes_[index].life->number;
  const bool killed = !healed_ && chance(0.005);
  feed_owner(index, life, slot, o.epoch, between(1, 10), [killed, a = std::move(a)](owner& x, time_ms now, auto& out) {
    const auto child = x.children.find(a.part.tenant);
    if (child == x.children.end() || child->second.first != a.incarnation || killed) {
      if (child != x.children.end())
        x.children.erase(child);
      x.machine->on_part_failed(a.part.tenant, a.part.request, slot::loss::gone, "killed", now, out);
      return;
    }
    auto done = child->second.second->work(a.part);
    done.request = a.part.request;
    done.tenant = a.part.tenant;
    x.machine->on_part_done(std::move(done), now, out);
  });
}

/// The gate: nothing is sent to be stored after the lease's own end. What is under way then is the epoch's to stop.
void cluster_world::commit(std::size_t index, slot_id slot, owner& o, const slot::commit_action& a) {
  const auto& n = nodes_[index];
  const auto tell = [this, slot, epoch = o.epoch, seq = a.batch->seq](node& there, const result<void>& r) {
    const auto at = static_cast<std::size_t>(&there - nodes_.data());
    feed_owner(at, there.life->number, slot, epoch, 0, [&](owner& x, time_ms now, auto& out) {
      r ? x.machine->on_committed(seq, now, out) : x.machine->on_commit_failed(seq, r.err(), now, out);
    });
  };
  const auto until = n.life->keeper->store_until(slot, o.epoch);
  if (!until || local(n) >= *until + (setup_.lease_kept_too_long ? setup_.term_ms : 0)) {
    on_node(index, n.life->number, 1, [tell](node& there) {
      tell(there, error{ec::unavailable, "the lease has to be renewed first", ""});
    });
    return;
  }
  ask<void>(
      index,
      [this, slot, epoch = o.epoch, batch = a.batch] {
        world_faults f;
        f.without_epoch_check = setup_.without_epoch_check;
        return slots_.at(slot).store.apply(epoch.value, *batch, f, outcome_.violations);
      },
      tell);
}

} // namespace pulse::test
