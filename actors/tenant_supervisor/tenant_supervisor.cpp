#include "actors/tenant_supervisor/tenant_supervisor.hpp"

#include <fmt/format.h>

#include "actors/alerting/alerting.hpp"
#include "actors/enrichment/enrichment.hpp"
#include "actors/kafka_source/kafka_source.hpp"
#include "actors/scoring/scoring.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// Loans that wait for the settings.
constexpr std::size_t waiting_max = 1000;
constexpr auto tick_interval = std::chrono::seconds(1);
/// Limits that were changed are in force within this and a tick.
constexpr std::int64_t settings_age_ms_max = 4000;

bool same_limits(const tenant_settings& a, const tenant_settings& b) {
  return a.rate == b.rate && a.burst == b.burst && a.deleted == b.deleted;
}

} // namespace

tenant_supervisor_state::tenant_supervisor_state(tenant_supervisor_actor::pointer p, context_ptr c, tenant_id t,
                                                 node_agent_actor a, std::vector<store_worker_actor> w,
                                                 settings_ptr last_known) :
  self(p),
  context(std::move(c)),
  tenant(t),
  agent(std::move(a)),
  workers(std::move(w)),
  settings(std::move(last_known)),
  active_at_ms(context->time.monotonic_ms()) {
  self->set_down_handler([this](const caf::down_msg& down) { child_down(down); });
}

caf::result<void> tenant_supervisor_state::start(const load_ptr& loaded) {
  release();
  if (!*loaded)
    return caf::make_error(caf::sec::invalid_argument, loaded->err().detail);
  try {
    const auto& from = loaded->value().start;
    scoring_child = self->spawn<scoring, caf::monitored>(context, slot::scoring_stage(from, context->shared));
    enrichment_child =
        self->spawn<enrichment, caf::monitored>(context, slot::enrichment_stage(from, context->shared), scoring_child);
  } catch (const std::exception& e) {
    release();
    log::error("children_not_made", "tenant_supervisor", e.what(), {tenant, {}, ""});
    return caf::make_error(caf::sec::invalid_argument, std::string("the stored state cannot be used: ") + e.what());
  }
  active_at_ms = context->time.monotonic_ms();
  return caf::unit;
}

caf::result<part_result_ptr> tenant_supervisor_state::work(const part_ptr& part) {
  active_at_ms = context->time.monotonic_ms();
  if (!enrichment_child)
    return caf::make_error(caf::sec::request_receiver_down, "enrichment is not running");
  return self->delegate(enrichment_child, work_atom_v, part);
}

void tenant_supervisor_state::release() {
  if (enrichment_child)
    self->send_exit(enrichment_child, caf::exit_reason::user_shutdown);
  if (scoring_child)
    self->send_exit(scoring_child, caf::exit_reason::user_shutdown);
  enrichment_child = nullptr;
  scoring_child = nullptr;
}

void tenant_supervisor_state::ask_settings() {
  if (std::exchange(asking, true))
    return;
  const auto& worker = workers[static_cast<std::size_t>(tenant.value) % workers.size()];
  self->request(worker, store_timeout, settings_atom_v, tenant)
      .then([this](const settings_ptr& fresh) { take_settings(fresh); },
            [this](const caf::error& e) {
              take_settings(std::make_shared<result<tenant_settings>>(error{ec::timeout, caf::to_string(e), ""}));
            });
}

void tenant_supervisor_state::take_settings(const settings_ptr& fresh) {
  asking = false;
  settings_at_ms = context->time.monotonic_ms();
  if (*fresh) {
    const bool changed = settings && *settings && !same_limits(settings->value(), fresh->value());
    limits_version += changed ? 1 : 0;
    settings = fresh;
    self->send(agent, settings_atom_v, tenant, fresh);
    for (auto& w : std::exchange(lend_waiting, {}))
      w.promise.deliver(lend_of(w.what, w.owner, w.since));
    for (const auto& [node, post] : posts) {
      if (post.child)
        hand_limits(node);
      else
        order(node);
    }
    return;
  }
  // With what was known before the tenant goes on; without anything its requests are told.
  if (settings && *settings)
    return;
  for (auto& w : std::exchange(lend_waiting, {}))
    w.promise.deliver(lend_answer{true, w.owner, {}});
  for (auto& [node, post] : std::exchange(posts, {}))
    for (auto& promise : post.attends)
      promise.deliver(
          caf::make_error(caf::sec::runtime_error, "the tenant's settings cannot be read: " + fresh->err().detail));
}

void tenant_supervisor_state::child_down(const caf::down_msg& down) {
  // One that threw: the failed request has told the slot, which loads the tenant anew.
  if ((enrichment_child && down.source == enrichment_child.address()) ||
      (scoring_child && down.source == scoring_child.address()))
    release();
  if (alerting_child && down.source == alerting_child.address()) {
    alerting_child = nullptr;
    alerting_restart.died(context->time.monotonic_ms());
    context->metrics.alarm("alerting_restarted");
    log::error("child_died", "tenant_supervisor", "alerting: " + caf::to_string(down.reason), {tenant, {}, ""});
    return;
  }
  for (auto& [id, child] : sources) {
    if (!child.reader || down.source != child.reader.address())
      continue;
    child.reader = nullptr;
    // One that ended by itself may be read again at the next poke.
    if (!down.reason || down.reason == caf::exit_reason::normal) {
      sources.erase(id);
      return;
    }
    child.restart.died(context->time.monotonic_ms());
    context->metrics.alarm("source_restarted");
    log::error("child_died", "tenant_supervisor", fmt::format("source {}: {}", id, caf::to_string(down.reason)),
               {tenant, {}, ""});
    return;
  }
  post_down(down);
}

void tenant_supervisor_state::end(const caf::error& why) {
  release();
  if (alerting_child)
    self->send_exit(std::exchange(alerting_child, nullptr), caf::exit_reason::user_shutdown);
  for (auto& [id, child] : std::exchange(sources, {}))
    if (child.reader)
      self->send_exit(child.reader, caf::exit_reason::user_shutdown);
  self->quit(why);
}

/// What is due is asked for again every second, so a child that died is made anew by the next call.
void tenant_supervisor_state::alert() {
  active_at_ms = context->time.monotonic_ms();
  if (!alerting_child && context->notify != nullptr && alerting_restart.may_start(active_at_ms))
    alerting_child = self->spawn<alerting, caf::monitored>(
        context, tenant, workers[static_cast<std::size_t>(tenant.value) % workers.size()]);
  if (alerting_child)
    self->send(alerting_child, alert_atom_v);
}

/// A source that is due here; it is asked for again every few seconds.
void tenant_supervisor_state::read_source(const std::string& id) {
  active_at_ms = context->time.monotonic_ms();
  if (!context->open_source || !context->make_source_store)
    return;
  auto& child = sources[id];
  if (!child.reader && child.restart.may_start(active_at_ms))
    child.reader =
        self->spawn<kafka_source, caf::monitored + caf::detached>(context, tenant, id, ingest_door_actor(agent));
  if (child.reader)
    self->send(child.reader, source_atom_v);
}

caf::result<lend_answer> tenant_supervisor_state::lend(const lend_request& what, epoch owner, std::int64_t since) {
  active_at_ms = context->time.monotonic_ms();
  if (!settings || !*settings) {
    auto promise = self->make_response_promise<lend_answer>();
    if (lend_waiting.size() >= waiting_max)
      promise.deliver(lend_answer{true, owner, {}});
    else
      lend_waiting.push_back({promise, what, owner, since});
    ask_settings();
    return promise;
  }
  return lend_of(what, owner, since);
}

lend_answer tenant_supervisor_state::lend_of(const lend_request& what, epoch owner, std::int64_t since) {
  const auto at = context->time.monotonic_ms();
  const bucket_limits limits{settings->value().rate, settings->value().burst};
  if (!quota || quota_owner != owner) {
    quota.emplace(limits, loan_config{}, since);
    quota_owner = owner;
  } else if (quota->limits() != limits) {
    quota->set(limits, at);
  }
  quota->settle(what.gateway, what.settled, at);
  return lend_answer{false, owner, quota->lend(what.gateway, what.request, what.need, what.want, at)};
}

void tenant_supervisor_state::settle(const settle_note& what) {
  if (quota)
    quota->settle(what.gateway, what.through, context->time.monotonic_ms());
}

void tenant_supervisor_state::tick() {
  const auto at = context->time.monotonic_ms();
  if ((!posts.empty() || quota) && at - settings_at_ms > settings_age_ms_max)
    ask_settings();
  for (const auto& [node, post] : posts)
    hand_limits(node);
  const bool idle =
      at - active_at_ms > context->tenant_idle_ms && posts.empty() && !enrichment_child && (!quota || quota->full(at));
  if (idle) {
    end(caf::exit_reason::normal);
    return;
  }
  self->delayed_send(tenant_supervisor_actor(self), tick_interval, tick_atom_v);
}

tenant_supervisor_actor::behavior_type tenant_supervisor_state::make_behavior() {
  self->set_exit_handler([this](const caf::exit_msg& x) { end(x.reason); });
  self->delayed_send(tenant_supervisor_actor(self), tick_interval, tick_atom_v);
  return {
      [this](start_atom, const load_ptr& loaded) { return start(loaded); },
      [this](work_atom, const part_ptr& part) { return work(part); },
      [this](release_atom) { release(); },
      [this](attend_atom, const std::string& node, const child_host_actor& host, std::int64_t owner) {
        return attend(node, host, epoch{owner});
      },
      [this](part_atom, const std::string& node) { part(node); },
      [this](alert_atom) { alert(); },
      [this](lend_atom, const lend_request& what, std::int64_t owner, std::int64_t since) {
        return lend(what, epoch{owner}, since);
      },
      [this](settle_atom, const settle_note& what) { settle(what); },
      [this](source_atom, const std::string& id) { read_source(id); },
      [this](tick_atom) { tick(); },
  };
}

} // namespace pulse
