#include "node/node.hpp"

#include <csignal>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "node/node_parts.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "node";

} // namespace

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
  for (const auto& step :
       {&parts::open_stores, &parts::open_spilled, &parts::check_log, &parts::start_actors, &parts::start_listeners})
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

std::string node::ready_line() const {
  const auto addresses = nlohmann::json::parse(read_file(parts_->conf.data_dir + "/addresses.json").value_or("{}"));
  const auto between = addresses.value("node", "");
  return fmt::format("ready http={} admin={}{}", addresses.value("http", ""), addresses.value("admin", ""),
                     between.empty() ? "" : " node=" + between);
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
    parts_->end_spill(parts_->conf.drain_ms_max / 2);
    return;
  }
  const auto started = system_clock().monotonic_ms();
  end_requests();
  wait_for(ask(std::max<std::int64_t>(500, limit - (system_clock().monotonic_ms() - started))));
}

} // namespace pulse
