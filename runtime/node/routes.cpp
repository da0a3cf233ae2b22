#include "node/routes.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "http/handlers/alerts.hpp"
#include "http/handlers/campaigns.hpp"
#include "http/handlers/cluster.hpp"
#include "http/handlers/detectors.hpp"
#include "http/handlers/failed_replay.hpp"
#include "http/handlers/forecasts.hpp"
#include "http/handlers/health.hpp"
#include "http/handlers/ingest.hpp"
#include "http/handlers/labels.hpp"
#include "http/handlers/mapping_dry_run.hpp"
#include "http/handlers/openapi.hpp"
#include "http/handlers/query.hpp"
#include "http/handlers/rules_dry_run.hpp"
#include "http/handlers/score.hpp"
#include "http/handlers/sources.hpp"
#include "http/handlers/tenants.hpp"
#include "http/handlers/versions.hpp"
#include "postgres/admin_store.hpp"
#include "postgres/alert_admin.hpp"
#include "postgres/control_store.hpp"
#include "postgres/failed_store.hpp"
#include "postgres/label_store.hpp"
#include "postgres/query_store.hpp"
#include "postgres/series_store.hpp"
#include "postgres/source_store.hpp"

namespace pulse {

namespace {

using http::responder;
using http::response;
using http::route;

/// Each public route once more for operators, on behalf of the tenant that the path names by its number:
/// `/v1/X` becomes `/admin/v1/tenants/{tenant}/X`.
void add_on_behalf(const std::vector<route>& gateway, std::vector<route>& admin) {
  for (const auto& r : gateway) {
    if (r.keyless || !r.pattern.starts_with("/v1/"))
      continue;
    route copy = r;
    copy.pattern = "/admin/v1/tenants/{tenant}" + r.pattern.substr(3);
    copy.needed = scope::admin;
    copy.publishable = copy.cors = false;
    copy.key_from_body = nullptr;
    copy.handle = [inner = r.handle](http::request in, responder answer) {
      std::int32_t tenant = 0;
      for (char c : in.param("tenant")) {
        if (c < '0' || c > '9' || tenant > 100'000'000)
          return answer(response::problem(404, "not_found", "tenants are named by their number here"));
        tenant = tenant * 10 + (c - '0');
      }
      in.who.tenant = tenant_id{tenant};
      in.who.scopes = {scope::ingest, scope::read, scope::admin};
      inner(std::move(in), std::move(answer));
    };
    // A route of the operators' own with the same name stays.
    const bool taken = std::any_of(admin.begin(), admin.end(), [&](const route& other) {
      return other.method == copy.method && other.pattern == copy.pattern;
    });
    if (!taken)
      admin.push_back(std::move(copy));
  }
}

route metrics_route(const route_parts& p) {
  route r;
  r.method = "GET";
  r.pattern = "/metrics";
  r.needed = scope::read;
  r.handle = [&m = p.metrics, show = p.show_log](const http::request&, const responder& answer) {
    show(m);
    auto out = response::text(200, m.text());
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer(std::move(out));
  };
  return r;
}

/// What this node holds as it works on it; of the others who holds them. `shared`: slots of a log that nodes share,
/// also before anything was seen of them.
nlohmann::ordered_json slots_answer(const std::vector<slot_status>& here, const cluster::view& view, int shared) {
  std::map<slot_id, nlohmann::ordered_json> all;
  for (int i = 0; i < shared; ++i)
    all[slot_id{i}] = {{"slot", i}, {"state", "free"}, {"position", nullptr}, {"end", nullptr}, {"lag", nullptr}};
  for (const auto& l : view.leases)
    if (l.slot != cluster::leader_slot && !cluster::is_free(l))
      all[l.slot]["state"] = "elsewhere";
  for (const auto& s : here)
    all[s.slot] = {{"slot", s.slot.value},
                   {"state", s.state},
                   {"position", s.position.value},
                   {"end", s.end.value},
                   {"lag", s.end.value - s.position.value},
                   {"batches_in_flight", s.batches_in_flight},
                   {"tenants_awake", s.tenants_awake}};
  for (const auto& l : view.leases) {
    if (l.slot == cluster::leader_slot)
      continue;
    all[l.slot]["node"] =
        cluster::is_free(l) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(l.holder.value);
    all[l.slot]["epoch"] = l.epoch.value;
  }
  auto data = nlohmann::ordered_json::array();
  for (auto& [slot, one] : all)
    data.push_back(std::move(one));
  return {{"data", std::move(data)}};
}

route slots_route(const route_parts& p) {
  route r;
  r.method = "GET";
  r.pattern = "/admin/v1/slots";
  const int shared = p.make_cluster_store ? static_cast<int>(p.conf.slots()) : 0;
  r.handle = [&system = p.system, agent = p.agent, shared](const http::request&, const responder& answer) {
    constexpr auto wait = std::chrono::seconds(5);
    caf::scoped_actor self(system);
    std::optional<caf::error> failed;
    const auto not_answered = [&](const caf::error& e) {
      failed = e;
    };
    cluster_view_ptr view;
    statuses_ptr here;
    self->request(agent, wait, view_atom_v).receive([&](const cluster_view_ptr& v) { view = v; }, not_answered);
    if (!failed)
      self->request(agent, wait, status_atom_v).receive([&](const statuses_ptr& s) { here = s; }, not_answered);
    if (failed)
      answer(response::problem(error{ec::unavailable, "the slots do not answer: " + caf::to_string(*failed), ""}));
    else
      answer(response::json(200, slots_answer(*here, *view, shared).dump()));
  };
  return r;
}

http::cluster_ports make_cluster_ports(const route_parts& p) {
  http::cluster_ports out;
  if (p.make_cluster_store)
    out.stores = std::make_shared<http::store_pool<cluster_store>>(p.workers, p.make_cluster_store);
  out.self = node_id{p.make_cluster_store ? p.node_id : p.name};
  out.run = p.name;
  out.version = PULSE_VERSION;
  out.term_ms = p.conf.cluster_term_ms;
  out.look_around = [&system = p.system, agent = p.agent] {
    constexpr auto wait = std::chrono::seconds(2);
    std::vector<cluster::census> all;
    caf::scoped_actor self(system);
    self->request(agent, wait, census_atom_v, true)
        .receive([&](const std::vector<cluster::census>& said) { all = said; },
                 [](const caf::error&) {
                   // A node that says nothing is shown without what runs there.
                 });
    return all;
  };
  return out;
}

http::version_ports make_version_ports(const route_parts& p) {
  http::version_ports out;
  out.put_in_force = [agent = p.agent](tenant_id tenant, const slot::control& control) {
    caf::anon_send(agent, control_atom_v, tenant, control_ptr(std::make_shared<const slot::control>(control)));
  };
  out.train = [agent = p.agent, &system = p.system](tenant_id tenant, training_kind kind, auto done) {
    // A short-lived actor waits for the answer, so that no thread has to.
    system.spawn([agent, tenant, kind, done = std::move(done)](caf::event_based_actor* self) {
      self->request(agent, std::chrono::minutes(5), train_atom_v, tenant, std::string(to_string(kind)))
          .then(
              [done](const training_ptr& trained) {
                if (!*trained)
                  return done(trained->err());
                const auto& t = trained->value();
                done(http::trained_models{t.model, t.rows, t.fraud_model, t.fraud_why, t.drifted});
              },
              [done](const caf::error& e) {
                done(error{ec::timeout, "the training did not end: " + caf::to_string(e), ""});
              });
    });
  };
  return out;
}

/// A short-lived actor waits for the answer, as with trainings.
score_port make_score_port(const route_parts& p) {
  return [agent = p.agent, &system = p.system](tenant_id tenant, std::vector<std::string> records, auto done) {
    system.spawn([agent, order = score_order{tenant, {}, std::move(records)},
                  done = std::move(done)](caf::event_based_actor* self) {
      self->request(agent, std::chrono::seconds(15), score_atom_v, order)
          .then(
              [done](const score_report& r) {
                if (r.ok)
                  done(r.lines);
                else
                  done(error{static_cast<ec>(r.code), r.detail, ""});
              },
              [done](const caf::error& e) {
                done(error{ec::timeout, "no score came in time: " + caf::to_string(e), ""});
              });
    });
  };
}

} // namespace

route_lists make_routes(const route_parts& p) {
  route_lists out;
  const ingest_port ingest = [agent = p.agent](ingest_ptr request) {
    caf::anon_send(agent, ingest_atom_v, std::move(request));
  };
  out.gateway = http::ingest_routes(ingest);
  out.gateway.push_back(http::score_route(
      {p.workers, make_score_port(p), system_clock(), system_random(), p.conf.horizon_days * day_ms}));
  for (auto& r : http::health_routes(p.ready, p.spilled))
    out.gateway.push_back(std::move(r));

  auto control_stores = std::make_shared<http::store_pool<control_store>>(
      p.workers, [&] { return std::make_unique<postgres::pg_control_store>(p.conf.postgres_url, p.name); });
  for (auto& r : http::version_routes(control_stores, make_version_ports(p)))
    out.gateway.push_back(std::move(r));
  for (auto& r : http::model_routes(control_stores, make_version_ports(p)))
    out.gateway.push_back(std::move(r));

  auto query_stores = std::make_shared<http::store_pool<query_store>>(p.workers, [&] {
    return std::make_unique<postgres::pg_query_store>(postgres::query_config{p.conf.postgres_url, p.name},
                                                      system_clock());
  });
  out.gateway.push_back(http::mapping_dry_run_route(query_stores));
  out.gateway.push_back(http::rules_dry_run_route(query_stores));
  const auto series_stores = std::make_shared<http::store_pool<series_store>>(
      p.workers, [&] { return std::make_unique<postgres::pg_series_store>(p.conf.postgres_url, p.name); });
  out.gateway.push_back(http::detectors_dry_run_route(series_stores, system_clock()));
  for (auto& r : http::query_routes(query_stores, system_clock()))
    out.gateway.push_back(std::move(r));

  out.gateway.push_back(http::forecast_route(query_stores, system_clock()));
  for (auto& r : http::campaign_routes(query_stores, system_clock()))
    out.gateway.push_back(std::move(r));

  auto label_stores = std::make_shared<http::store_pool<label_store>>(
      p.workers, [&] { return std::make_unique<postgres::pg_label_store>(p.conf.postgres_url, p.name); });
  const auto count_label = [&m = p.metrics](const label_and_outcome& l) {
    m.labelled(l.fraud, l.outcome);
  };
  for (auto& r : http::label_routes(label_stores, system_clock(), {make_version_ports(p).put_in_force, count_label}))
    out.gateway.push_back(std::move(r));

  auto failed_stores = std::make_shared<http::store_pool<failed_store>>(
      p.workers, [&] { return std::make_unique<postgres::pg_failed_store>(p.conf.postgres_url, p.name); });
  out.gateway.push_back(http::failed_replay_route(failed_stores, ingest));

  for (auto& r : http::openapi_routes())
    out.gateway.push_back(std::move(r));
  http::alert_parts alerts{
      std::make_shared<http::store_pool<alert_admin>>(
          p.workers, [&] { return std::make_unique<postgres::pg_alert_admin>(p.conf.postgres_url, p.name); }),
      system_random(), parse_cidrs(p.conf.webhook_allow).value(), [agent = p.agent](tenant_id tenant) {
        caf::anon_send(agent, alert_atom_v, tenant);
      }};
  for (auto* make : {&http::endpoint_routes, &http::alert_routes})
    for (auto& r : make(alerts))
      out.gateway.push_back(std::move(r));

  http::source_parts sources{
      std::make_shared<http::store_pool<source_store>>(
          p.workers, [&] { return std::make_unique<postgres::pg_source_store>(p.conf.postgres_url, p.name); }),
      alerts.allow};
  for (auto& r : http::source_routes(sources))
    out.gateway.push_back(std::move(r));

  auto admin_stores = std::make_shared<http::store_pool<admin_store>>(
      p.workers, [&] { return std::make_unique<postgres::pg_admin_store>(p.conf.postgres_url, p.name); });
  const http::tenant_defaults defaults{p.conf.limits_rate, p.conf.limits_burst, static_cast<int>(p.conf.slots())};
  out.admin = http::tenant_routes(admin_stores, defaults, system_random(), system_clock(),
                                  [gate = p.gate](const std::string& key) { gate->forget(key); });
  for (auto& r : http::alert_admin_routes(alerts))
    out.admin.push_back(std::move(r));
  for (auto& r : http::health_routes(p.ready, p.spilled))
    out.admin.push_back(std::move(r));
  out.admin.push_back(metrics_route(p));
  out.admin.push_back(slots_route(p));
  for (auto& r : http::cluster_routes(make_cluster_ports(p)))
    out.admin.push_back(std::move(r));
  add_on_behalf(out.gateway, out.admin);
  return out;
}

} // namespace pulse
