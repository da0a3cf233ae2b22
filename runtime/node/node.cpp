#include "node/node.hpp"

#include <atomic>
#include <caf/all.hpp>
#include <condition_variable>
#include <csignal>
#include <fmt/format.h>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <unistd.h>

#include "actors/node_agent/node_agent.hpp"
#include "base/embedded.hpp"
#include "base/worker_pool.hpp"
#include "delivery/webhook_sender.hpp"
#include "http/admin/admin_server.hpp"
#include "http/server/server.hpp"
#include "models/risk/pooled.hpp"
#include "models/risk/sample.hpp"
#include "models/slot/shared_data.hpp"
#include "node/cluster_part.hpp"
#include "node/files.hpp"
#include "node/open_log.hpp"
#include "node/routes.hpp"
#include "postgres/alert_store.hpp"
#include "postgres/control_store.hpp"
#include "postgres/key_directory.hpp"
#include "postgres/migrator.hpp"
#include "postgres/series_store.hpp"
#include "postgres/slot_sink.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace pulse {

namespace {

constexpr auto component = "node";
constexpr auto maintenance_interval = std::chrono::hours(1);
constexpr std::int64_t aged_rows_max = 200'000;

/// The pooled model: fitted with a fixed seed on the sample that the program carries.
result<std::shared_ptr<const detection::model>> fit_stand_in() {
  for (const auto& file : embedded_node()) {
    if (file.name != "demo_order_lines.csv")
      continue;
    auto events = scoring::read_order_lines(file.content);
    if (!events)
      return events.err();
    auto model = scoring::fit_pooled(*events, {.random_state = 1});
    if (!model)
      return model.err();
    return std::make_shared<const detection::model>(std::move(*model));
  }
  return error{ec::internal, "the program carries no sample for the pooled model", ""};
}

/// Countries and geo; what is missing is said and done without.
result<std::shared_ptr<const slot::shared_data>> read_shared_data(const settings& s) {
  enrichment_data data;
  const auto iso_path = s.iso_codes_dir + "/iso_3166-1.json";
  if (const auto text = read_file(iso_path)) {
    auto table = country_table::load(*text);
    if (!table)
      return error{ec::corrupt, fmt::format("{}: {}", iso_path, table.err().detail), ""};
    data.countries = std::make_shared<const country_table>(std::move(*table));
  } else {
    log::warning("countries_missing", component, iso_path + " is not there: countries stay as they are given");
  }
  const auto v4 = s.geo_dir.empty() ? std::nullopt : read_file(s.geo_dir + "/geoip");
  const auto v6 = s.geo_dir.empty() ? std::nullopt : read_file(s.geo_dir + "/geoip6");
  if (v4 && v6) {
    auto table = geo_table::load(*v4, *v6);
    if (!table)
      return error{ec::corrupt, fmt::format("{}: {}", s.geo_dir, table.err().detail), ""};
    data.geo = std::make_shared<const geo_table>(std::move(*table));
  } else {
    log::warning("geo_missing", component, "geo_dir has no geoip and geoip6: no country is found by address");
  }
  auto pooled = fit_stand_in();
  if (!pooled)
    return pooled.err();
  return std::make_shared<const slot::shared_data>(std::move(data), *pooled);
}

slot::machine_config slot_config(const settings& s) {
  slot::machine_config c;
  c.batch_events_max = static_cast<std::size_t>(s.batch_events_max);
  c.read_interval_ms = s.read_interval_ms;
  c.image_interval_ms = s.image_interval_ms;
  c.image_events = s.image_events;
  c.idle_ms = s.tenant_idle_ms;
  c.tenants_awake_max = static_cast<std::size_t>(s.tenants_awake_max);
  return c;
}

} // namespace

// Members are destroyed from the last to the first: what others use stands above.
struct node::parts {
  settings conf;
  std::string name;
  /// Only where the log is shared.
  std::optional<node_names> names;
  directory_lock lock;
  pulse::metrics metrics;
  std::unique_ptr<event_log> log;
  std::function<void(pulse::metrics&)> show_log;
  std::unique_ptr<delivery::webhook_sender> sender;
  std::unique_ptr<caf::actor_system_config> actor_config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<postgres::pg_key_directory> keys;
  std::unique_ptr<worker_pool> key_workers;
  std::unique_ptr<worker_pool> workers;
  std::shared_ptr<http::key_gate> gate;
  context_ptr context;
  node_root_actor agent;
  std::unique_ptr<http::admin_server> admin;
  std::unique_ptr<http::server> gateway;
  std::uint16_t http_port = 0;
  std::uint16_t admin_port = 0;
  /// Where other nodes reach this one; empty on a node alone.
  std::string node_address;
  std::atomic<bool> draining{false};
  std::atomic<bool> ending{false};
  /// The log is read again, for nobody to be told.
  bool rebuilding = false;
  /// Does what one node of the cluster does for all.
  std::atomic<bool> leading{true};
  std::mutex maintenance_mutex;
  std::condition_variable maintenance_wake;
  std::thread maintenance;

  explicit parts(directory_lock l) : lock(std::move(l)) {
  }

  ~parts();
  result<void> open_stores();
  result<void> start_actors();
  result<void> start_listeners();
  result<void> join();
  void maintain();
};

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
  if (agent)
    caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
  agent = nullptr;
  // Every actor ends before the sender, whose last answers still go to the system.
  if (system)
    system->await_all_actors_done();
  sender.reset();
  system.reset();
  workers.reset();
  key_workers.reset();
  keys.reset();
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

result<void> node::parts::start_actors() {
  auto shared = read_shared_data(conf);
  if (!shared)
    return shared.err();
  actor_context c{
      *log, metrics, system_clock(), system_random(), *shared, {}, {}, slot_config(conf), {}, 0, 0, 2, {}, nullptr,
      {},   {},      false};
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
  delivery::webhook_config w;
  auto allow = parse_cidrs(conf.webhook_allow);
  if (!allow)
    return error{allow.err().code, "webhook_allow: " + allow.err().detail, "webhook_allow"};
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
    auto made = make_cluster_part(conf, *names, *log, gate_of_leases, *system);
    if (!made)
      return made.err();
    part.emplace(std::move(*made));
    leading = false;
    part->lead = [this](bool on) {
      leading = on;
    };
    part->leave = [] {
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
                  return log->healthy();
                },
                show_log,
                {},
                {}};
  if (names) {
    r.make_cluster_store = [this] {
      return make_cluster_store(conf, *names, *log);
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

/// Once an hour, on one node: the partitions of the weeks to come, those before the horizon, and what is over its age.
void node::parts::maintain() {
  std::unique_lock hold(maintenance_mutex);
  while (!maintenance_wake.wait_for(hold, maintenance_interval, [this] { return ending.load(); })) {
    if (!leading)
      continue;
    if (auto ok = postgres::make_partitions(conf.postgres_url, static_cast<int>(conf.horizon_days)); !ok) {
      metrics.alarm("partitions_not_made");
      log::error("partitions_not_made", component, ok.err().detail);
    }
    if (auto ok = postgres::drop_partitions(conf.postgres_url, static_cast<int>(conf.horizon_days)); !ok)
      log::warning("partitions_not_dropped", component, ok.err().detail);
    if (auto gone = postgres::delete_aged(conf.postgres_url, aged_rows_max); !gone)
      log::warning("aged_not_deleted", component, gone.err().detail);
  }
}

node::node(std::unique_ptr<parts> p) : parts_(std::move(p)) {
}

node::~node() = default;

/// The data directory's lock, the names, the log lines: what everything else stands on.
result<std::unique_ptr<node::parts>> node::begin(const loaded_settings& from) {
  auto lock = directory_lock::take(from.values.data_dir);
  if (!lock)
    return lock.err();
  auto p = std::make_unique<parts>(std::move(*lock));
  p->conf = from.values;
  p->name = fmt::format("node-{}", system_random().next_uuid().str().substr(0, 8));
  if (p->conf.event_log == "kafka") {
    auto names = name_node(p->conf, system_random());
    if (!names)
      return names.err();
    p->name = names->run;
    p->names = std::move(*names);
  }
  if (p->conf.postgres_url.empty())
    return error{ec::invalid,
                 "postgres_url is not set; scripts/run makes a private Postgres and sets it, or set PULSE_POSTGRES_URL",
                 "postgres_url"};
  log::start(p->conf.log_level, p->conf.log_format, p->name);
  return p;
}

result<std::unique_ptr<node>> node::start(const loaded_settings& from) {
  auto begun = begin(from);
  if (!begun)
    return begun.err();
  auto p = std::move(*begun);
  for (const auto& step : {&parts::open_stores, &parts::start_actors, &parts::start_listeners})
    if (auto ok = (p.get()->*step)(); !ok)
      return ok.err();
  const auto url = [](const std::string& host, std::uint16_t port, bool tls) {
    return fmt::format("{}://{}:{}", tls ? "https" : "http",
                       host.find(':') == std::string::npos ? host : "[" + host + "]", port);
  };
  nlohmann::ordered_json addresses = {{"http", url(p->conf.http_host, p->http_port, !p->conf.tls_cert.empty())},
                                      {"admin", url(p->conf.admin_host, p->admin_port, false)}};
  if (p->names)
    addresses["node"] = p->node_address;
  // Where the command line finds the node.
  if (auto ok = write_private(p->conf.data_dir + "/addresses.json", addresses.dump() + "\n"); !ok)
    return ok.err();
  log::info("ready", component, addresses.dump());
  return std::unique_ptr<node>(new node(std::move(p)));
}

namespace {

/// Raw has to reach back to the generation's beginning. How many records there are.
result<std::int64_t> records_to_read(const event_log& log) {
  std::int64_t all = 0;
  for (int i = 0; i < log.slots(); ++i) {
    const slot_id slot{i};
    if (log.begin(log_topic::raw, slot).value > 0)
      return error{
          ec::conflict,
          fmt::format("slot {} of raw begins at record {}: what was before is gone, so nothing can be rebuilt; "
                      "kafka.trim has to be off from the beginning",
                      i, log.begin(log_topic::raw, slot).value),
          ""};
    all += log.end(log_topic::raw, slot).value;
  }
  return all;
}

} // namespace

result<void> node::read_again(parts& p, std::int64_t all,
                              const std::function<void(std::int64_t, std::int64_t)>& progress) {
  caf::scoped_actor self(*p.system);
  for (std::int64_t read = 0; read < all;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    read = 0;
    std::optional<error> problem;
    self->request(p.agent, std::chrono::seconds(60), status_atom_v)
        .receive(
            [&](const statuses_ptr& slots) {
              for (const auto& s : *slots) {
                read += s.position.value;
                if (s.state == "stopped")
                  problem =
                      error{ec::internal, fmt::format("slot {} stopped; the log line says why", s.slot.value), ""};
              }
            },
            [&](const caf::error& e) {
              problem = error{ec::internal, caf::to_string(e), ""};
            });
    if (problem)
      return *problem;
    progress(read, all);
  }
  result<void> out;
  self->request(p.agent, std::chrono::minutes(10), drain_atom_v)
      .receive([] {},
               [&](const caf::error& e) {
                 out = error{ec::internal, "the tenants' state was not stored: " + caf::to_string(e), ""};
               });
  return out;
}

result<postgres::rebuilt_counts> node::rebuild(const loaded_settings& from,
                                               const std::function<void(std::int64_t, std::int64_t)>& progress) {
  auto begun = begin(from);
  if (!begun)
    return begun.err();
  auto p = std::move(*begun);
  p->rebuilding = true;
  if (auto ok = p->open_stores(); !ok)
    return ok.err();
  const auto all = records_to_read(*p->log);
  if (!all)
    return all.err();
  if (auto ok = postgres::ready_to_rebuild(p->conf.postgres_url, p->log->generation()); !ok)
    return ok.err();
  if (auto ok = p->start_actors(); !ok)
    return ok.err();
  if (p->names)
    if (auto ok = p->join(); !ok)
      return ok.err();
  if (auto ok = read_again(*p, *all, progress); !ok)
    return ok.err();
  if (auto ok = postgres::settle_rebuilt_alerts(p->conf.postgres_url); !ok)
    return ok.err();
  return postgres::count_rebuilt(p->conf.postgres_url, p->log->generation());
}

std::string node::ready_line() const {
  const auto addresses = nlohmann::json::parse(read_file(parts_->conf.data_dir + "/addresses.json").value_or("{}"));
  const auto node = addresses.value("node", "");
  return fmt::format("ready http={} admin={}{}", addresses.value("http", ""), addresses.value("admin", ""),
                     node.empty() ? "" : " node=" + node);
}

void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGUSR1})
    sigaddset(&set, s);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int node::wait() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGUSR1})
    sigaddset(&set, s);
  int got = 0;
  sigwait(&set, &got);
  log::info("stopping", component, got == SIGUSR1 ? "after a fault" : "after a signal");
  return got == SIGUSR1 ? 1 : 0;
}

/// In a cluster slots need no requests and requests no slots: both end at the same time.
void node::drain() {
  parts_->draining = true;
  const auto limit = parts_->conf.drain_ms_max * (parts_->names ? 3 : 1);
  caf::scoped_actor self(*parts_->system);
  const auto ask = [&](std::int64_t within_ms) {
    return self->request(parts_->agent, std::chrono::milliseconds(within_ms), drain_atom_v);
  };
  const auto end_requests = [&] {
    if (!parts_->gateway->drain(parts_->conf.drain_ms_max / 2))
      log::warning("requests_cut_off", component,
                   "some requests were not answered in time; they are safe to send again");
  };
  const auto wait_for = [](auto answer) {
    answer.receive(
        [] { log::info("drained", component, "what was read is stored and imaged; what came later is in the log"); },
        [](const caf::error& e) {
          log::warning("drain_cut_off", component,
                       "not everything was stored in time; it is in the log: " + caf::to_string(e));
        });
  };
  if (parts_->names) {
    auto answer = ask(limit);
    end_requests();
    wait_for(std::move(answer));
    return;
  }
  const auto started = system_clock().monotonic_ms();
  end_requests();
  wait_for(ask(std::max<std::int64_t>(500, limit - (system_clock().monotonic_ms() - started))));
}

} // namespace pulse
