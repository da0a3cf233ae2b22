#include "node/node_parts.hpp"

#include <csignal>
#include <fmt/format.h>
#include <unistd.h>

#include "kafka/kafka_source_reader.hpp"
#include "models/slot/shared_data.hpp"
#include "node/open_log.hpp"
#include "node/routes.hpp"
#include "node/shared_files.hpp"
#include "postgres/alert_store.hpp"
#include "postgres/control_store.hpp"
#include "postgres/migrator.hpp"
#include "postgres/series_store.hpp"
#include "postgres/slot_sink.hpp"
#include "postgres/source_store.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "node";
constexpr auto spill_retry = std::chrono::milliseconds(500);

slot::machine_config slot_config(const settings& s) {
  slot::machine_config c;
  c.batch_events_max = static_cast<std::size_t>(s.batch_events_max);
  c.read_interval_ms = s.read_interval_ms;
  c.image_interval_ms = s.image_interval_ms;
  c.image_events = s.image_events;
  c.idle_ms = s.tenant_idle_ms;
  c.tenants_awake_max = static_cast<std::size_t>(s.tenants_awake_max);
  c.model_bytes_max = static_cast<std::size_t>(s.tenants_models_mib) << 20U;
  return c;
}

} // namespace

node::parts::~parts() {
  {
    const std::lock_guard hold(maintenance_mutex);
    ending = true;
  }
  maintenance_wake.notify_all();
  if (maintenance.joinable())
    maintenance.join();
  if (gateway)
    gateway->drain(100);
  gateway.reset();
  if (admin)
    admin->stop();
  admin.reset();
  // Their threads may have asked actors, and then keep a part of the system until they end.
  workers.reset();
  if (agent)
    caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
  agent = nullptr;
  // Every actor ends before the sender, whose last answers still go to the system.
  if (system)
    system->await_all_actors_done();
  sender.reset();
  system.reset();
  key_workers.reset();
  keys.reset();
  if (spilled)
    spilled->stop();
}

result<void> node::parts::open_stores() {
  const auto fresh = postgres::migrate(conf.postgres_url, static_cast<int>(conf.horizon_days),
                                       [](const auto& file) { log::info("migrated", component, file); });
  if (!fresh)
    return fresh.err();
  auto opened = open_log(conf, system_clock().now());
  if (!opened)
    return opened.err();
  log = std::move(opened->log);
  show_log = std::move(opened->show);
  return {};
}

/// Only where requests come in: a log that is read again must not grow meanwhile.
result<void> node::parts::open_spilled() {
  auto opened = open_spill(conf, *log, system_clock().now());
  if (!opened)
    return opened.err();
  spilled = std::move(*opened);
  if (!spilled)
    return {};
  show_log = [show_log = std::move(show_log), s = spilled.get()](pulse::metrics& m) {
    show_log(m);
    show(s->stats(), m);
  };
  spilled->start(spill_retry);
  return {};
}

void node::parts::end_spill(std::int64_t within_ms) {
  if (!spilled)
    return;
  const auto end = system_clock().monotonic_ms() + within_ms;
  while (spilled->stats().events > 0 && log->healthy() && system_clock().monotonic_ms() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (const auto left = spilled->stats().events; left > 0)
    log::warning(
        "spill_stays", component,
        fmt::format("{} events stay on this node's disk, under {}/spill; start the node again to let them follow", left,
                    conf.data_dir));
}

result<void> node::parts::start_actors() {
  auto shared = read_shared_data(conf);
  if (!shared)
    return shared.err();
  actor_context c{
      *log, metrics, system_clock(), system_random(), *shared, {}, {}, slot_config(conf), {}, 0, 0, 2, {}, nullptr,
      {},   {},      false};
  if (imaging_all)
    c.slot_config.image_lag_records_max = 0;
  c.make_slot_store = [this]() -> std::unique_ptr<slot_store> {
    return std::make_unique<postgres::slot_sink>(postgres::sink_config{conf.postgres_url, name, log->generation(),
                                                                       static_cast<int>(conf.horizon_days),
                                                                       names ? conf.cluster_term_ms : 0},
                                                 system_clock());
  };
  c.make_control_store = [this]() -> std::unique_ptr<control_store> {
    return std::make_unique<postgres::pg_control_store>(conf.postgres_url, name);
  };
  c.make_alert_store = [this]() -> std::unique_ptr<alert_store> {
    return std::make_unique<postgres::pg_alert_store>(conf.postgres_url, name);
  };
  c.make_series_store = [this]() -> std::unique_ptr<series_store> {
    return std::make_unique<postgres::pg_series_store>(conf.postgres_url, name);
  };
  c.open_source = open_kafka_source;
  c.make_source_store = [this]() -> std::unique_ptr<source_store> {
    return std::make_unique<postgres::pg_source_store>(conf.postgres_url, name);
  };
  delivery::webhook_config w;
  auto allow = parse_cidrs(conf.webhook_allow);
  if (!allow)
    return error{allow.err().code, "webhook_allow: " + allow.err().detail, "webhook_allow"};
  c.allowed_networks = *allow;
  w.allow = std::move(*allow);
  sender = std::make_unique<delivery::webhook_sender>(std::move(w));
  c.notify = rebuilding ? nullptr : sender.get();
  c.due_work = !rebuilding;
  // Without a fixed port the address is not known yet: alerts then have no link.
  c.public_url = conf.public_url;
  if (c.public_url.empty() && conf.http_port != 0)
    c.public_url = fmt::format("http://{}:{}", conf.http_host, conf.http_port);
  // Nothing but this program can read the embedded log.
  c.taps = !rebuilding && (conf.log_taps == "on" || (conf.log_taps == "auto" && conf.event_log != "embedded"));
  c.horizon_ms = conf.horizon_days * day_ms;
  c.tenant_idle_ms = conf.tenant_idle_ms;
  c.store_workers = 2;
  c.fatal = [](const std::string& why) {
    log::error("core_actor_died", component, why);
    ::kill(::getpid(), SIGUSR1);
  };
  const auto gate_of_leases = std::make_shared<lease_gate>();
  if (names)
    c.gate = gate_of_leases;
  if (spilled)
    c.take_in = [s = spilled.get()](slot_id slot, std::vector<log_entry> entries, event_log::append_done done) {
      s->append(slot, std::move(entries), std::move(done));
    };
  context = std::make_shared<const actor_context>(std::move(c));
  actor_config = std::make_unique<caf::actor_system_config>();
  actor_config->set("caf.scheduler.max-threads", 2);
  // Idle workers wait; those that steal work look for it by polling, a sixth of the CPU of single requests.
  actor_config->set("caf.scheduler.policy", "sharing");
  if (names)
    if (auto ok = set_up_links(conf, *actor_config); !ok)
      return ok;
  system = std::make_unique<caf::actor_system>(*actor_config);
  std::optional<cluster_part> part;
  if (names) {
    auto made = make_cluster_part(conf, *names, *log, spilled.get(), gate_of_leases, *system);
    if (!made)
      return made.err();
    part.emplace(std::move(*made));
    leading = false;
    part->lead = [this](bool on) {
      leading = on;
    };
    part->leave = [this] {
      // A rebuild ends by itself when it has left.
      if (!rebuilding)
        ::kill(::getpid(), SIGTERM);
    };
  }
  agent = system->spawn<node_agent>(context, std::move(part));
  return {};
}

result<void> node::parts::start_listeners() {
  key_workers = std::make_unique<worker_pool>(2, 10'000);
  keys = std::make_unique<postgres::pg_key_directory>(conf.postgres_url, name, *key_workers);
  gate = std::make_shared<http::key_gate>(*keys, system_clock(), http::key_gate::config{});
  workers = std::make_unique<worker_pool>(static_cast<std::size_t>(conf.worker_threads), 1000);
  auto proxies = parse_cidrs(conf.trusted_proxies);
  if (!proxies)
    return proxies.err();
  auto admin_token = read_or_make_token(conf.data_dir + "/admin-token", system_random());
  auto metrics_token = read_or_make_token(conf.data_dir + "/metrics-token", system_random());
  if (!admin_token || !metrics_token)
    return admin_token ? metrics_token.err() : admin_token.err();
  route_parts r{conf,
                name,
                *workers,
                *system,
                agent,
                metrics,
                gate,
                [this]() -> result<void> {
                  if (draining)
                    return error{ec::unavailable, "the node is draining", ""};
                  const auto well = log->healthy();
                  return well || !spilled ? well : spilled->healthy();
                },
                show_log,
                {},
                {}};
  if (spilled)
    r.spilled = [this]() -> http::spill_note {
      const auto s = spilled->stats();
      return {s.events, s.bytes};
    };
  if (names) {
    r.make_cluster_store = [this] {
      return make_cluster_store(conf, *names, *log, nullptr);
    };
    r.node_id = names->id;
  }
  const auto observe = [this](const http::request_info& i) {
    metrics.request(i.route, i.method, i.status, i.seconds, i.bytes_in);
    if (i.status >= 500)
      log::warning("request_failed", "http", fmt::format("{} {} {}: {}", i.method, i.route, i.status, i.code),
                   {i.tenant, i.trace, i.request_id});
  };
  auto routes = make_routes(r);
  http::server_config g;
  g.host = conf.http_host;
  g.port = static_cast<std::uint16_t>(conf.http_port);
  g.io_threads = static_cast<int>(conf.http_threads);
  g.tls_cert = conf.tls_cert;
  g.tls_key = conf.tls_key;
  g.trusted_proxies = *proxies;
  gateway = std::make_unique<http::server>(g, std::move(routes.gateway), gate, system_random(), observe);
  auto bound = gateway->start();
  if (!bound)
    return bound.err();
  http_port = *bound;
  http::admin_config a;
  a.host = conf.admin_host;
  a.port = static_cast<std::uint16_t>(conf.admin_port);
  a.admin_token = *admin_token;
  a.metrics_token = *metrics_token;
  admin = std::make_unique<http::admin_server>(a, std::move(routes.admin), system_random(), observe);
  auto admin_bound = admin->start();
  if (!admin_bound)
    return admin_bound.err();
  admin_port = *admin_bound;
  maintenance = std::thread([this] { maintain(); });
  return names ? join() : result<void>();
}

/// The node's port, and its place in the cluster: when requests can be served.
result<void> node::parts::join() {
  result<void> out;
  caf::scoped_actor self(*system);
  self->request(agent, std::chrono::seconds(10), join_atom_v)
      .receive([this](const std::string& address) { node_address = address; },
               [&](const caf::error& e) {
                 out = error{ec::unavailable, caf::to_string(e), "node.port"};
               });
  return out;
}

result<statuses_ptr> node::parts::slots() {
  result<statuses_ptr> out = statuses_ptr();
  caf::scoped_actor self(*system);
  self->request(agent, std::chrono::seconds(60), status_atom_v)
      .receive([&](const statuses_ptr& found) { out = found; },
               [&](const caf::error& e) {
                 out = error{ec::internal, caf::to_string(e), ""};
               });
  if (out)
    for (const auto& s : **out)
      if (s.state == "stopped")
        return error{ec::internal, fmt::format("slot {} stopped; the log line says why", s.slot.value), ""};
  return out;
}

} // namespace pulse
