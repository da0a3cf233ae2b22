// The cluster's rows over libpqxx, in the database's time. Blocking; one object, on a connection and a thread of its
// own, so that a lease is never renewed behind other work.
#pragma once

#include <functional>

#include "ports/cluster_store.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

struct cluster_config {
  std::string url;
  /// Names this run of this node in application_name.
  std::string node;
  log_generation generation;
  int slots = 64;
  std::int64_t term_ms = 3000;
  /// Events that wait on this node's disk for the log; goes with each heartbeat. Unset: none.
  std::function<std::int64_t()> spilled = nullptr;
};

class pg_cluster_store final : public cluster_store {
public:
  explicit pg_cluster_store(cluster_config config);

  result<cluster::view> look() override;
  result<void> join(const cluster::node_row& self, const std::string& previous) override;
  result<cluster::view> beat(const node_run& me, cluster::node_state state, double load,
                             const std::vector<cluster::held_lease>& leases) override;
  result<std::vector<cluster::held_lease>> take(const node_run& me,
                                                const std::vector<cluster::held_lease>& leases) override;
  result<void> release(const node_run& me, slot_id slot, pulse::epoch epoch) override;
  result<std::int64_t> place(const node_run& me, pulse::epoch leader_epoch,
                             const std::vector<cluster::assignment>& assignments) override;
  result<void> ask_drain(const node_id& node) override;
  result<std::vector<past_move>> history(std::int64_t max) override;

private:
  /// A transaction that ends by itself before a lease does.
  template <class Work>
  auto run(std::string_view where, Work&& work);
  cluster::view read(pqxx::work& tx) const;
  void lock(pqxx::work& tx, const std::string& slots) const;

  cluster_config config_;
  session db_;
};

} // namespace pulse::postgres
