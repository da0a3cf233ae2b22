#include "node/cluster_part.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>

#include "node/files.hpp"
#include "postgres/cluster_store.hpp"

namespace pulse {

namespace {

constexpr std::size_t dead_runs_max = 8;

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

std::unique_ptr<cluster_store> make_cluster_store(const settings& conf, const node_names& names, const event_log& log) {
  return std::make_unique<postgres::pg_cluster_store>(
      postgres::cluster_config{conf.postgres_url, names.run, log.generation(), log.slots(), conf.cluster_term_ms});
}

result<cluster_part> make_cluster_part(const settings& conf, const node_names& names, const event_log& log,
                                       std::shared_ptr<lease_gate> gate) {
  cluster::keeper_config k;
  k.self.id = node_id{names.id};
  k.self.incarnation = names.run;
  k.self.version = PULSE_VERSION;
  k.term_ms = conf.cluster_term_ms;
  k.dead_runs = names.dead_runs;
  if (const auto problems = k.validate(); !problems.empty())
    return error{ec::invalid, fmt::format("{}", fmt::join(problems, "\n")), ""};
  return cluster_part{{std::move(k), make_cluster_store(conf, names, log), std::move(gate), system_clock()}, {}, {}};
}

} // namespace pulse
