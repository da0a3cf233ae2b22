#include "node/cluster_part.hpp"

#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>

#include "base/net.hpp"
#include "models/cluster/formats.hpp"
#include "node/certificates.hpp"
#include "node/files.hpp"
#include "postgres/cluster_store.hpp"

namespace pulse {

namespace {

constexpr std::size_t dead_runs_max = 8;

bool is_loopback(const std::string& host) {
  const auto address = ip_address::parse(host);
  const auto loopback = parse_cidrs("127.0.0.0/8,::1");
  return host == "localhost" || (address && loopback && contains(*loopback, *address));
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> out;
  std::istringstream in(read_file(path).value_or(""));
  for (std::string line; std::getline(in, line);)
    if (!line.empty())
      out.push_back(line);
  return out;
}

} // namespace

result<node_names> name_node(const settings& conf, random_source& random) {
  node_names out;
  out.id = conf.node_id;
  if (out.id.empty()) {
    const auto path = conf.data_dir + "/node-id";
    if (const auto kept = lines_of(path); !kept.empty())
      out.id = kept.front();
    else
      out.id = fmt::format("node-{}", random.next_uuid().str().substr(0, 8));
    if (auto ok = write_private(path, out.id + "\n"); !ok)
      return ok.err();
  }
  out.run = fmt::format("{}-{}", out.id, random.next_uuid().str().substr(24, 8));
  const auto runs = conf.data_dir + "/node-runs";
  out.dead_runs = lines_of(runs);
  auto kept = out.dead_runs;
  kept.push_back(out.run);
  if (kept.size() > dead_runs_max)
    kept.erase(kept.begin(), kept.end() - dead_runs_max);
  if (auto ok = write_private(runs, fmt::format("{}\n", fmt::join(kept, "\n"))); !ok)
    return ok.err();
  return out;
}

result<void> set_up_links(const settings& conf, caf::actor_system_config& config) {
  if (conf.node_ca.empty() && !is_loopback(conf.node_host))
    return error{
        ec::invalid,
        fmt::format("node.host {} is not loopback: nodes then speak over mutual TLS, and node.ca, node.cert and "
                    "node.key name its files; pulse cluster ca and pulse cluster cert make them",
                    conf.node_host),
        "node.ca"};
  if (!conf.node_ca.empty())
    if (auto ok = check_certificates(conf.node_ca, conf.node_cert, conf.node_key); !ok)
      return error{ok.err().code, "node.ca, node.cert, node.key: " + ok.err().detail, "node.cert"};
  config.load<caf::io::middleman>();
  // One in common is enough to be connected.
  config.set("caf.middleman.app-identifiers", std::vector<std::string>{fmt::format("pulse-wire-{}", wire_version),
                                                                       fmt::format("pulse-wire-{}", wire_version - 1)});
  config.set("caf.middleman.heartbeat-interval", caf::timespan(std::chrono::milliseconds(500)));
  config.set("caf.middleman.connection-timeout", caf::timespan(std::chrono::seconds(2)));
  if (!conf.node_ca.empty()) {
    config.load<caf::openssl::manager>();
    config.openssl_cafile = conf.node_ca;
    config.openssl_certificate = conf.node_cert;
    config.openssl_key = conf.node_key;
  }
  return {};
}

std::unique_ptr<cluster_store> make_cluster_store(const settings& conf, const node_names& names, const event_log& log,
                                                  const spill* spilled) {
  postgres::cluster_config c{conf.postgres_url,    names.run, log.generation(), log.slots(),
                             conf.cluster_term_ms, nullptr};
  if (spilled)
    c.spilled = [spilled] {
      return spilled->stats().events;
    };
  return std::make_unique<postgres::pg_cluster_store>(std::move(c));
}

result<cluster_part> make_cluster_part(const settings& conf, const node_names& names, const event_log& log,
                                       const spill* spilled, std::shared_ptr<lease_gate> gate,
                                       caf::actor_system& system) {
  cluster::keeper_config k;
  k.self.id = node_id{names.id};
  k.self.incarnation = names.run;
  k.self.version = PULSE_VERSION;
  k.self.formats = cluster::newest_formats;
  k.term_ms = conf.cluster_term_ms;
  k.dead_runs = names.dead_runs;
  if (const auto problems = k.validate(); !problems.empty())
    return error{ec::invalid, fmt::format("{}", fmt::join(problems, "\n")), ""};
  const bool tls = !conf.node_ca.empty();
  const auto publish = [tls, host = conf.node_host, port = static_cast<std::uint16_t>(conf.node_port)](
                           const peer_actor& own) -> result<std::string> {
    const auto bound = tls ? caf::openssl::publish(own, port, host.c_str())
                           : own.home_system().middleman().publish(own, port, host.c_str());
    if (!bound)
      return error{ec::unavailable,
                   fmt::format("the node's port cannot be opened at {}:{} ({}); set node.host and node.port", host,
                               port, caf::to_string(bound.error())),
                   "node.port"};
    return fmt::format("{}:{}", host, *bound);
  };
  return cluster_part{{std::move(k), make_cluster_store(conf, names, log, spilled), std::move(gate), system_clock()},
                      tls ? system.openssl_manager().actor_handle() : system.middleman().actor_handle(),
                      publish,
                      system_random(),
                      {},
                      {}};
}

} // namespace pulse
