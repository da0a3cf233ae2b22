// Keeps this node's leases: carries out what models/cluster's keeper says, on the database and on the node. Detached:
// each call to the database blocks it, for half a term at most. Child of the node_agent; lives as long as the node.
#pragma once

#include <memory>
#include <vector>

#include "actors/cluster_interfaces.hpp"
#include "actors/lease_keeper/lease_gate.hpp"
#include "models/cluster/keeper.hpp"
#include "ports/cluster_store.hpp"

namespace pulse {

struct lease_keeper_config {
  cluster::keeper_config keeper;
  std::shared_ptr<cluster_store> store;
  std::shared_ptr<lease_gate> gate;
  /// Its monotonic_ms has to count suspension.
  const clock& time;
};

struct lease_keeper_state {
  static inline constexpr const char* name = "pulse.lease_keeper";

  lease_keeper_state(lease_keeper_actor::pointer self, lease_keeper_config config, lease_owner_actor owner);

  lease_keeper_actor::behavior_type make_behavior();

  void carry_out(std::vector<cluster::action>& actions);
  bool ask_database(const cluster::action& a, std::vector<cluster::action>& out);
  void ask_view(std::uint64_t request, const result<cluster::view>& answer, std::vector<cluster::action>& out);
  void failed(std::uint64_t request, const error& why, std::vector<cluster::action>& out);
  void stop(const cluster::stop_action& a);
  void leave(bool superseded);
  void publish();
  void arm();
  std::int64_t now() const;

  /// Runs the machine and then what it says.
  template <class Feed>
  void feed(Feed&& f) {
    std::vector<cluster::action> actions;
    f(keeper, actions);
    publish();
    carry_out(actions);
    publish();
    arm();
  }

  lease_keeper_actor::pointer self;
  const clock& time;
  std::shared_ptr<cluster_store> store;
  std::shared_ptr<lease_gate> gate;
  lease_owner_actor owner;
  node_run me;
  std::int64_t hand_over_ms_max;
  cluster::keeper keeper;
  /// What the gate was told, to tell it the end.
  std::map<slot_id, epoch> told;
  std::vector<caf::typed_response_promise<void>> draining;
  std::int64_t armed_for = 0;
  bool left = false;
};

using lease_keeper = caf::stateful_actor<lease_keeper_state, lease_keeper_actor::base>;

} // namespace pulse
