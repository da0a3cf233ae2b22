#include "actors/node_agent/node_agent.hpp"

#include <fmt/format.h>

#include "actors/series_watcher/series_watcher.hpp"
#include "actors/store_worker/store_worker.hpp"
#include "actors/tenant_supervisor/tenant_supervisor.hpp"
#include "models/event/raw_codec.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto tick_interval = std::chrono::seconds(1);
constexpr auto watch_timeout = std::chrono::minutes(2);
/// About 200 bytes each.
constexpr std::size_t last_known_max = 100'000;

} // namespace

void append_control(const context_ptr& context, tenant_id tenant, slot_id slot, const slot::control& control,
                    std::function<void(result<log_offset>)> done) {
  raw_event raw;
  raw.kind = raw_kind::control;
  raw.received_at = raw.occurred_at = context->time.now();
  raw.id = event_id{control.id};
  raw.body = slot::encode_control(control);
  std::vector<log_entry> entries;
  entries.push_back({tenant, fmt::format("{}/{}", tenant.value, slot::control_entity), encode(raw), "", "", epoch{}});
  context->log.append(log_topic::raw, slot, std::move(entries), std::move(done));
}

node_agent_state::node_agent_state(node_root_actor::pointer p, context_ptr c, std::optional<cluster_part> in) :
  self(p), context(std::move(c)), part(std::move(in)) {
  for (int i = 0; i < context->store_workers; ++i)
    workers.push_back(self->spawn<store_worker, caf::linked + caf::detached>(context));
  if (part) {
    auto own = std::make_shared<actor_context>(*context);
    own->desk = lend_desk_actor(self);
    context = std::move(own);
  } else {
    own_every_slot();
  }
  self->set_down_handler([this](const caf::down_msg& down) {
    if (!slot_down(down))
      tenant_down(down);
  });
}

/// A supervisor or an ingestion child.
void node_agent_state::tenant_down(const caf::down_msg& down) {
  const auto found = whose.extract(down.source);
  if (!found)
    return;
  const auto tenant = found.mapped();
  if (const auto s = supervisors.find(tenant); s != supervisors.end() && s->second.address() == down.source) {
    // One that ended because it was idle had a full bucket: its successor may start with one.
    if (!down.reason)
      for (auto& [slot, held] : slots)
        held.lending.erase(tenant);
    supervisors.erase(s);
  }
  hosted_down(tenant, down.source);
}

settings_ptr node_agent_state::remembered(tenant_id tenant) const {
  const auto known = last_known.find(tenant);
  return known == last_known.end() ? settings_ptr{} : known->second;
}

void node_agent_state::remember(tenant_id tenant, const settings_ptr& fresh) {
  if (last_known.size() >= last_known_max && !last_known.contains(tenant))
    last_known.erase(last_known.begin());
  last_known[tenant] = fresh;
}

tenant_supervisor_actor node_agent_state::supervisor_of(tenant_id tenant) {
  auto& found = supervisors[tenant];
  if (!found) {
    found = self->spawn<tenant_supervisor, caf::monitored>(context, tenant, node_agent_actor(self), workers,
                                                           remembered(tenant));
    whose[found.address()] = tenant;
  }
  return found;
}

/// Of the tenants whose slots are held here: what is due is done by one node.
void node_agent_state::look_for_due() {
  auto here = slots_here();
  if (!context->due_work || here.empty() || std::exchange(asking_due, true))
    return;
  self->request(workers.front(), store_timeout, due_atom_v, std::move(here))
      .then(
          [this](const due_ptr& found) {
            asking_due = false;
            if (!*found)
              return;
            for (const auto& work : found->value()) {
              if (work.kind == "alert")
                self->send(supervisor_of(work.tenant), alert_atom_v);
              else if (work.kind == "control")
                send_controls(work.tenant);
              else if (parse_training(work.kind))
                train_when_free(work.tenant, work.kind);
              else if (work.kind == "series")
                watch_when_free(work.tenant);
              else if (work.kind.starts_with("source:"))
                self->send(supervisor_of(work.tenant), source_atom_v, work.kind.substr(7));
              else if (work.kind == "forget")
                forget(work.tenant);
            }
          },
          [this](const caf::error&) { asking_due = false; });
}

/// Sends again what is not known to have taken effect: a control record that comes twice does no harm.
void node_agent_state::send_controls(tenant_id tenant) {
  const auto& worker = workers.back();
  auto job = std::make_shared<store_job>([c = context, tenant](control_store& store) {
    const auto settings = store.settings(tenant);
    const auto pending = store.pending_controls(tenant);
    if (!settings || !pending)
      return;
    for (const auto& control : *pending)
      append_control(c, tenant, settings->slot, control, [tenant](const result<log_offset>& at) {
        if (!at)
          log::warning("control_not_sent", "node_agent", at.err().detail, {tenant, {}, ""});
      });
    if (auto ok = store.reschedule_controls(tenant); !ok)
      log::warning("control_not_rescheduled", "node_agent", ok.err().detail, {tenant, {}, ""});
  });
  self->send(worker, job_atom_v, std::move(job));
}

/// Puts a stored version in force. When the record does not get into the log now, `due` brings it there later.
caf::result<void> node_agent_state::send_control(tenant_id tenant, const slot::control& control) {
  auto promise = self->make_response_promise<void>();
  self->request(workers.front(), store_timeout, settings_atom_v, tenant)
      .then(
          [this, promise, tenant, control](const settings_ptr& settings) mutable {
            if (*settings)
              append_control(context, tenant, settings->value().slot, control, [tenant](const result<log_offset>& at) {
                if (!at)
                  log::warning("control_not_sent", "node_agent", at.err().detail, {tenant, {}, ""});
              });
            promise.deliver();
          },
          [promise](const caf::error& e) mutable { promise.deliver(e); });
  return promise;
}

/// Stays due until the slot has answered.
void node_agent_state::forget(tenant_id tenant) {
  const auto failed = [tenant](const std::string& why) {
    log::warning("tenant_not_forgotten", "node_agent", why, {tenant, {}, ""});
  };
  self->request(workers.front(), store_timeout, settings_atom_v, tenant)
      .then(
          [this, tenant, failed](const settings_ptr& settings) {
            if (!*settings)
              return failed((*settings).err().detail);
            const auto held = slots.find((*settings)->slot);
            if (held == slots.end())
              return;
            self->request(held->second.reader, work_timeout, forget_atom_v, tenant)
                .then(
                    [this, tenant] {
                      self->send(
                          workers.back(), job_atom_v, std::make_shared<store_job>([tenant](control_store& store) {
                            if (auto ok = store.forgotten(tenant); !ok)
                              log::warning("tenant_not_forgotten", "node_agent", ok.err().detail, {tenant, {}, ""});
                          }));
                    },
                    [failed](const caf::error& e) { failed(caf::to_string(e)); });
          },
          [failed](const caf::error& e) { failed(caf::to_string(e)); });
}

/// One at a time, as with trainings.
void node_agent_state::watch_when_free(tenant_id tenant) {
  if (!context->make_series_store || std::exchange(watching, true))
    return;
  self->request(self->spawn<series_watcher, caf::detached>(context), watch_timeout, watch_atom_v, tenant)
      .then(
          [this, tenant](std::int64_t alerts) {
            watching = false;
            if (alerts > 0)
              self->send(supervisor_of(tenant), alert_atom_v);
          },
          [this, tenant](const caf::error& e) {
            watching = false;
            log::warning("series_without_answer", "node_agent", caf::to_string(e), {tenant, {}, ""});
          });
}

/// A slot that stored candidates holds the tenant. What comes from elsewhere may be of a tenant that another node
/// holds: that one finds it by `due`, within a second.
void node_agent_state::alert(tenant_id tenant) {
  if (!part || self->current_sender())
    self->send(supervisor_of(tenant), alert_atom_v);
  else
    look_for_due();
}

caf::result<statuses_ptr> node_agent_state::statuses() {
  auto promise = self->make_response_promise<statuses_ptr>();
  auto out = std::make_shared<std::vector<slot_status>>();
  auto left = std::make_shared<std::size_t>(1);
  auto one_less = [promise, out, left]() mutable {
    if (--*left == 0)
      promise.deliver(statuses_ptr(out));
  };
  for (const auto& [slot, held] : slots) {
    if (!held.reader)
      continue;
    ++*left;
    self->request(held.reader, work_timeout, status_atom_v)
        .then(
            [out, one_less](const status_ptr& s) mutable {
              out->push_back(*s);
              one_less();
            },
            [one_less](const caf::error&) mutable { one_less(); });
  }
  one_less();
  return promise;
}

node_root_actor::behavior_type node_agent_state::make_behavior() {
  self->set_exit_handler([this](const caf::exit_msg& x) {
    for (const auto& [tenant, supervisor] : supervisors)
      self->send_exit(supervisor, caf::exit_reason::user_shutdown);
    for (auto& [tenant, h] : hosted)
      if (h.child)
        self->send_exit(h.child, caf::exit_reason::user_shutdown);
    for (const auto& [slot, held] : slots)
      if (held.reader)
        self->send_exit(held.reader, caf::exit_reason::user_shutdown);
    // Ours to give up, or a core actor that died: a slot, a worker, the lease keeper.
    if (x.reason != caf::exit_reason::user_shutdown && context->fatal)
      context->fatal(caf::to_string(x.reason));
    self->quit(caf::exit_reason::user_shutdown);
  });
  self->delayed_send(node_root_actor(self), tick_interval, tick_atom_v);
  return {
      [this](host_atom, const ingestion_order& order) { return host(order); },
      [this](ingest_atom, ingest_ptr request) { ingest(std::move(request)); },
      [this](supervisor_atom, tenant_id tenant) { return supervisor_of(tenant); },
      [this](alert_atom, tenant_id tenant) { alert(tenant); },
      [this](settings_atom, tenant_id tenant, const settings_ptr& fresh) { remember(tenant, fresh); },
      [this](train_atom, tenant_id tenant, const std::string& kind) { return train(tenant, kind); },
      [this](host_atom, tenant_id tenant, const std::string& kind) { return train_for_peer(tenant, kind); },
      [this](score_atom, const score_order& order) { return score(order); },
      [this](control_atom, tenant_id tenant, const control_ptr& control) { return send_control(tenant, *control); },
      [this](drain_atom) { return drain(); },
      [this](status_atom) { return statuses(); },
      [this](tick_atom) {
        look_for_due();
        measure_loads();
        look_after_hosted();
        self->delayed_send(node_root_actor(self), tick_interval, tick_atom_v);
      },
      [this](start_atom, slot_id slot, epoch under, const std::string& taken_from) {
        start_slot(slot, {under, taken_from});
      },
      [this](release_atom, slot_id slot, epoch under, bool graceful) { return release_slot(slot, under, graceful); },
      [this](lead_atom, bool leading) { part->lead(leading); },
      [this](left_atom, bool superseded) {
        leaving = true;
        superseded ? context->fatal("a newer run of this node has joined the cluster") : part->leave();
      },
      [this](view_atom, const cluster_view_ptr& seen) { see(seen); },
      [this](hint_atom) { tell_others(); },
      [this](lend_atom, const lend_request& what) { return lend(what); },
      [this](settle_atom, const settle_note& what) { settle(what); },
      [this](join_atom) { return join(); },
      [this](wake_atom) {
        if (keeper)
          self->send(keeper, wake_atom_v);
      },
      [this](attend_atom, const attend_note& what) { return attended(what); },
      [this](census_atom, bool everywhere) { return census(everywhere); },
      [this](peer_atom, const std::string& node, const caf::strong_actor_ptr& to, std::int32_t wire) {
        set_peer(node, to, wire);
      },
      [this](view_atom) -> caf::result<cluster_view_ptr> {
        return view ? view : std::make_shared<const cluster::view>();
      },
  };
}

} // namespace pulse
