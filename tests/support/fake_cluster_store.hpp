// The cluster's rows in memory, with the promises of the port. Simulations use it as the database that all nodes share;
// its clock is an input.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "ports/cluster_store.hpp"

namespace pulse::test {

struct fake_cluster_rows {
  std::int64_t slots = 4;
  std::int64_t term_ms = 3000;
  std::map<node_id, cluster::node_row> nodes;
  std::map<slot_id, cluster::lease_row> leases;
  std::deque<past_move> history;
  /// The epoch that a slot's position was moved to; nothing: 0.
  std::function<std::int64_t(slot_id)> position_epoch;
};

class fake_cluster_store final : public cluster_store {
public:
  fake_cluster_store(fake_cluster_rows& rows, std::function<time_ms()> now) : rows_(rows), now_(std::move(now)) {
  }

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
  bool is_current(const node_run& me) const;
  cluster::lease_row* held(const node_run& me, slot_id slot, pulse::epoch epoch);

  fake_cluster_rows& rows_;
  std::function<time_ms()> now_;
};

} // namespace pulse::test
