#include "actors/slot_reader/slot_reader.hpp"

#include <fmt/format.h>

#include "actors/store_writer/store_writer.hpp"
#include "models/event/raw_codec.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto tick_busy = std::chrono::milliseconds(10);
constexpr auto tick_idle = std::chrono::milliseconds(500);
constexpr auto take_over_retry = std::chrono::seconds(1);
constexpr std::int64_t trim_interval_ms = 5000;
constexpr std::size_t replay_records_max = 5000;
constexpr std::size_t replay_bytes_max = 8U << 20;

slot::item to_item(log_record r) {
  return {r.offset, r.entry.tenant, std::make_shared<const std::string>(std::move(r.entry.value)),
          slot::is_control_key(r.entry.key)};
}

/// An answer from the store that did not come.
error no_answer(const caf::error& e) {
  return {ec::timeout, "the store's writer did not answer: " + caf::to_string(e), ""};
}

} // namespace

slot_reader_state::slot_reader_state(slot_reader_actor::pointer p, context_ptr c, slot_id s, node_agent_actor a,
                                     std::optional<slot_claim> by_lease) :
  self(p), context(std::move(c)), slot(s), agent(std::move(a)), claim(std::move(by_lease)) {
  writer = self->spawn<store_writer, caf::linked + caf::detached>(context, slot, claim);
  // The log may wake us on its own thread, also after we are gone.
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(caf::actor_cast<caf::strong_actor_ptr>(self));
  context->log.on_appended(slot, [weak, flag = woken] {
    if (flag->exchange(true))
      return;
    if (const auto strong = weak.lock())
      caf::anon_send(caf::actor_cast<slot_reader_actor>(strong), wake_atom_v);
  });
}

time_ms slot_reader_state::now() const {
  return context->time.now();
}

void slot_reader_state::take_over() {
  if (std::exchange(taking, true))
    return;
  self->request(writer, store_timeout, take_over_atom_v)
      .then(
          [this](const slot_start_ptr& start) {
            taking = false;
            if (!*start && start->err().code == ec::fenced) {
              stop(start->err());
              return;
            }
            if (!*start) {
              log::warning("take_over_failed", "slot_reader", (*start).err().detail);
              self->delayed_send(slot_reader_actor(self), take_over_retry, wake_atom_v);
              return;
            }
            const auto& s = start->value();
            held = s.epoch;
            machine.emplace(context->slot_config, s.position, s.dirty);
            for (auto tenant : s.deleted)
              machine->on_tenant_deleted(tenant);
            state = "serving";
            log::info("slot_taken", "slot_reader",
                      fmt::format("slot {} at {} under epoch {}", slot.value, s.position.value, s.epoch.value));
            feed([this](auto& m, auto& out) { m.start(now(), out); });
          },
          [this](const caf::error& e) {
            taking = false;
            log::warning("take_over_failed", "slot_reader", no_answer(e).detail);
            self->delayed_send(slot_reader_actor(self), take_over_retry, wake_atom_v);
          });
}

void slot_reader_state::carry_out(std::vector<slot::action>& actions) {
  // Reading answers at once and adds to the list: hence by index.
  for (std::size_t i = 0; i < actions.size(); ++i) {
    auto action = std::move(actions[i]);
    if (auto* r = std::get_if<slot::read_action>(&action))
      read(*r, actions);
    else if (auto* l = std::get_if<slot::load_action>(&action))
      load(*l);
    else if (auto* p = std::get_if<slot::replay_read_action>(&action))
      replay(*p, actions);
    else if (auto* s = std::get_if<slot::send_action>(&action))
      send(std::move(*s));
    else if (auto* c = std::get_if<slot::commit_action>(&action))
      commit(*c);
    else if (auto* d = std::get_if<slot::release_action>(&action)) {
      if (const auto it = supervisors.find(d->tenant); it != supervisors.end()) {
        self->send(it->second.second, release_atom_v);
        supervisors.erase(it);
      }
    } else if (auto* f = std::get_if<slot::stop_action>(&action))
      stop(f->why);
    else if (auto* a = std::get_if<slot::alarm_action>(&action)) {
      context->metrics.alarm(a->name);
      log::warning(a->name, "slot_reader", a->detail, {a->tenant, {}, ""});
    }
  }
}

void slot_reader_state::read(const slot::read_action& a, std::vector<slot::action>& out) {
  const stage_timer timer(context->metrics, "reading");
  auto records = context->log.read(log_topic::raw, slot, a.from, a.events_max, a.bytes_max);
  if (!records) {
    log::error("log_read_failed", "slot_reader", records.err().detail);
    machine->on_read_failed(records.err(), now(), out);
    return;
  }
  std::vector<slot::item> items;
  items.reserve(records->size());
  for (auto& r : *records)
    items.push_back(to_item(std::move(r)));
  const auto next = items.empty() ? a.from : log_offset{items.back().offset.value + 1};
  machine->on_records(std::move(items), next < context->log.end(log_topic::raw, slot), now(), out);
}

void slot_reader_state::load(const slot::load_action& a) {
  const auto failed = [this, a](const error& why) {
    feed([&](auto& m, auto& out) { m.on_load_failed(a.tenant, a.incarnation, why, now(), out); });
  };
  const auto gone = [failed](const caf::error& e) {
    failed({e == caf::sec::invalid_argument ? ec::corrupt : ec::timeout, caf::to_string(e), ""});
  };
  const auto started = [this, a](const tenant_supervisor_actor& supervisor, const tenant_load& from) {
    supervisors[a.tenant] = {a.incarnation, supervisor};
    feed([&](auto& m, auto& out) { m.on_loaded(a.tenant, a.incarnation, from.as_of, from.set_aside, now(), out); });
  };
  self->request(writer, store_timeout, load_atom_v, a.tenant)
      .then(
          [=, this](const load_ptr& loaded) {
            if (!*loaded) {
              failed((*loaded).err());
              return;
            }
            self->request(agent, work_timeout, supervisor_atom_v, a.tenant)
                .then(
                    [=, this](const tenant_supervisor_actor& supervisor) {
                      self->request(supervisor, work_timeout, start_atom_v, loaded)
                          .then([=] { started(supervisor, loaded->value()); }, gone);
                    },
                    gone);
          },
          gone);
}

void slot_reader_state::replay(const slot::replay_read_action& a, std::vector<slot::action>& out) {
  // Raw is trimmed where no tenant has state to fold (machine::trim_bound): what is gone between this one's images and
  // the log's beginning was its neighbours'.
  const auto from = std::max(a.from, context->log.begin(log_topic::raw, slot));
  if (from >= a.to)
    return machine->on_replay(a.tenant, a.incarnation, {}, a.to, now(), out);
  const auto wanted = std::min<std::size_t>(replay_records_max, static_cast<std::size_t>(a.to.value - from.value));
  auto records = context->log.read(log_topic::raw, slot, from, wanted, replay_bytes_max);
  if (!records || records->empty()) {
    const auto why = records ? "raw ends before what is to be replayed" : records.err().detail;
    log::error("replay_failed", "slot_reader", why, {a.tenant, {}, ""});
    machine->on_child_lost(a.tenant, a.incarnation, now(), out);
    return;
  }
  const auto next = log_offset{records->back().offset.value + 1};
  std::vector<slot::item> items;
  for (auto& r : *records)
    if (r.entry.tenant == a.tenant && r.offset < a.to)
      items.push_back(to_item(std::move(r)));
  machine->on_replay(a.tenant, a.incarnation, std::move(items), std::min(next, a.to), now(), out);
}

void slot_reader_state::send(slot::send_action a) {
  std::vector<slot::control> wanted;
  for (const auto& it : a.part.items) {
    if (!it.control)
      continue;
    // One that cannot be read is no control: the child makes a failed event of it.
    if (auto raw = decode(*it.value))
      if (auto control = slot::decode_control(raw->body))
        wanted.push_back(*control);
  }
  fetch_and_send(std::make_shared<slot::send_action>(std::move(a)), std::move(wanted));
}

void slot_reader_state::fetch_and_send(std::shared_ptr<slot::send_action> a, std::vector<slot::control> wanted) {
  const auto tenant = a->part.tenant;
  const auto request = a->part.request;
  const auto failed = [this, tenant, request](slot::loss kind, const std::string& why) {
    feed([&](auto& m, auto& out) { m.on_part_failed(tenant, request, kind, why, now(), out); });
  };
  if (!wanted.empty()) {
    const auto next = wanted.back();
    wanted.pop_back();
    self->request(writer, store_timeout, fetch_atom_v, tenant, next.kind, next.hash)
        .then(
            [=, this, rest = std::move(wanted)](const artifact_ptr& found) {
              // A version that does not exist: the child notes the control record as failed.
              if (*found)
                a->part.artifacts.push_back(found->value());
              else if (found->err().code != ec::not_found)
                return failed(slot::loss::gone, found->err().detail);
              fetch_and_send(a, rest);
            },
            [=](const caf::error& e) { failed(slot::loss::gone, no_answer(e).detail); });
    return;
  }
  const auto it = supervisors.find(tenant);
  if (it == supervisors.end() || it->second.first != a->incarnation) {
    failed(slot::loss::gone, "the tenant's children are gone");
    return;
  }
  self->request(it->second.second, work_timeout, work_atom_v, std::make_shared<slot::part>(std::move(a->part)))
      .then(
          [this](const part_result_ptr& done) {
            feed([&](auto& m, auto& out) { m.on_part_done(std::move(*done), now(), out); });
          },
          [=](const caf::error& e) {
            failed(e == caf::sec::runtime_error ? slot::loss::threw : slot::loss::gone, caf::to_string(e));
          });
}

void slot_reader_state::commit(const slot::commit_action& a) {
  const auto started = context->time.monotonic_ms();
  self->request(writer, store_timeout, commit_atom_v, a.batch)
      .then(
          [this, batch = a.batch, started](const commit_ptr& done) {
            if (*done)
              stored(*batch, done->value(), started);
            else
              log::warning("commit_failed", "slot_reader", done->err().detail);
            feed([&](auto& m, auto& out) {
              if (*done)
                m.on_committed(batch->seq, now(), out);
              else
                m.on_commit_failed(batch->seq, done->err(), now(), out);
            });
          },
          [this, seq = a.batch->seq](const caf::error& e) {
            feed([&](auto& m, auto& out) { m.on_commit_failed(seq, no_answer(e), now(), out); });
          });
}

void slot_reader_state::stored(const slot::batch& batch, const commit_outcome& outcome, std::int64_t started_ms) {
  const auto seconds = static_cast<double>(context->time.monotonic_ms() - started_ms) / 1000.0;
  context->metrics.batch_stored(slot, seconds, outcome.stored, outcome.duplicates, outcome.failed);
  if (outcome.poison > 0)
    context->metrics.dropped("poison", outcome.poison);
  if (!batch.results.empty() && batch.results.front().event.received_at.value != 0)
    context->metrics.stored_after(static_cast<double>(now().value - batch.results.front().event.received_at.value) /
                                  1000.0);
  for (auto tenant : outcome.alerted)
    self->send(agent, alert_atom_v, tenant);
}

void slot_reader_state::stop(const error& why) {
  state = why.code == ec::fenced ? "fenced" : "stopped";
  context->metrics.alarm("slot_stopped");
  log::error("slot_stopped", "slot_reader", fmt::format("slot {}: {}", slot.value, why.detail));
  if (claim && context->slot_lost)
    context->slot_lost(slot, claim->epoch);
}

void slot_reader_state::trim() {
  const auto at = context->time.monotonic_ms();
  if (at - trimmed_at_ms < trim_interval_ms)
    return;
  trimmed_at_ms = at;
  if (auto ok = context->log.trim(slot, machine->trim_bound()); !ok)
    log::warning("trim_failed", "slot_reader", ok.err().detail);
}

void slot_reader_state::tick() {
  look_after_scores();
  if (machine) {
    feed([this](auto& m, auto& out) { m.tick(now(), out); });
    trim();
    if (machine->batches_in_flight() > 0)
      be_busy(1000);
    context->metrics.slot_state(slot, machine->position(), context->log.end(log_topic::raw, slot),
                                machine->batches_in_flight(), machine->tenants_awake());
  }
}

void slot_reader_state::beat() {
  tick();
  if (context->time.monotonic_ms() < busy_until_ms)
    self->delayed_send(slot_reader_actor(self), tick_busy, beat_atom_v);
  else
    beating = false;
}

/// Ticks fast for a while: there is work, and intervals to keep.
void slot_reader_state::be_busy(std::int64_t for_ms) {
  busy_until_ms = std::max(busy_until_ms, context->time.monotonic_ms() + for_ms);
  if (!std::exchange(beating, true))
    self->delayed_send(slot_reader_actor(self), tick_busy, beat_atom_v);
}

void slot_reader_state::finish_drain() {
  if (!drain_wanted || !machine || !(machine->drained() || machine->stopped()))
    return;
  for (auto& promise : std::exchange(draining, {}))
    promise.deliver();
}

slot_reader_actor::behavior_type slot_reader_state::make_behavior() {
  self->set_exit_handler([this](const caf::exit_msg& x) {
    // Whoever takes the slot next loads its tenants anew, here as well.
    for (const auto& [tenant, awake] : supervisors)
      self->send(awake.second, release_atom_v);
    context->metrics.slot_gone(slot);
    self->quit(x.reason);
  });
  take_over();
  self->delayed_send(slot_reader_actor(self), tick_idle, tick_atom_v);
  return {
      [this](wake_atom) {
        woken->store(false);
        if (!machine) {
          if (state == "taking over")
            take_over();
          return;
        }
        be_busy(1000);
        feed([this](auto& m, auto& out) { m.on_wake(now(), out); });
      },
      [this](drain_atom) -> caf::result<void> {
        if (!machine && context->log.end(log_topic::raw, slot) > context->log.begin(log_topic::raw, slot))
          return caf::make_error(caf::sec::runtime_error, "the slot was not taken over: what it has stays in the log");
        auto promise = self->make_response_promise<void>();
        if (!machine) {
          promise.deliver();
          return promise;
        }
        draining.push_back(promise);
        drain_wanted = true;
        be_busy(60'000);
        feed([this](auto& m, auto& out) { m.drain(now(), out); });
        return promise;
      },
      [this](forget_atom, tenant_id tenant) -> caf::result<void> {
        if (!machine)
          return caf::make_error(caf::sec::runtime_error, "the slot is not taken over yet");
        machine->on_tenant_deleted(tenant);
        return caf::unit;
      },
      [this](score_atom, const score_order& order) { return score(order); },
      [this](status_atom) {
        slot_status s{slot, {}, context->log.end(log_topic::raw, slot), 0, 0, state};
        if (machine) {
          s.position = machine->position();
          s.batches_in_flight = machine->batches_in_flight();
          s.tenants_awake = machine->tenants_awake();
        }
        return std::make_shared<const slot_status>(s);
      },
      [this](tick_atom) {
        tick();
        self->delayed_send(slot_reader_actor(self), tick_idle, tick_atom_v);
      },
      [this](beat_atom) { beat(); },
  };
}

} // namespace pulse
