// The root of a node's tree: makes supervisors for tenants that wake, slot readers for the slots the node holds, and a
// fixed number of store workers; looks for work that is due. It holds every slot, or in a cluster those that its
// lease_keeper tells it to. Lives as long as the node.
#pragma once

#include <caf/io/middleman_actor.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "actors/cluster_interfaces.hpp"
#include "actors/context.hpp"
#include "actors/lease_keeper/lease_keeper.hpp"
#include "models/cluster/load_meter.hpp"
#include "models/risk/file_formats.hpp"

namespace pulse {

/// Appends a control record to the tenant's partition; `done` as event_log::append.
void append_control(const context_ptr& context, tenant_id tenant, slot_id slot, const slot::control& control,
                    std::function<void(result<log_offset>)> done);

/// What makes a node one of a cluster.
struct cluster_part {
  lease_keeper_config keeper;
  /// Makes connections to other nodes.
  caf::io::middleman_actor dialer;
  /// Opens the node's port with this actor behind it; its address as host:port.
  std::function<result<std::string>(const peer_actor&)> publish;
  random_source& random;
  /// This node leads from here on, or does not any more.
  std::function<void(bool)> lead;
  /// Somebody asked this node to leave the cluster.
  std::function<void()> leave;
  /// The newest that it speaks.
  std::int32_t wire = wire_version;
};

struct node_agent_state {
  static inline constexpr const char* name = "pulse.node_agent";

  /// A slot that this node holds, or holds no more as soon as its reader is gone.
  struct held_slot {
    slot_reader_actor reader;
    /// Without one: held by the data directory's lock.
    std::optional<slot_claim> claim;
    bool ending = false;
    /// The slot was taken again meanwhile: goes on when the old reader is gone.
    std::optional<slot_claim> next;
    std::vector<caf::typed_response_promise<void>> released;
    /// As of clock::monotonic_ms.
    std::int64_t since = 0;
    /// Tenants whose limit was lent of under this epoch.
    std::unordered_set<tenant_id> lending = {};
    cluster::load_meter load;
    bool measuring = false;
  };

  struct linked_peer {
    /// Of a node of the last wire version only what that one knows may be asked.
    peer_actor to;
    std::int32_t wire = 0;
  };

  struct training_order {
    std::uint64_t number = 0;
    tenant_id tenant;
    std::string kind;
    caf::typed_response_promise<training_ptr> promise;
    /// Where it runs, if not here.
    std::string node;
  };

  /// A tenant that this node's gateway sees.
  struct hosted_ingestion {
    ingestion_actor child;
    /// Whose child it is; without one it works alone until one is found.
    tenant_supervisor_actor supervisor;
    /// The newest that was heard of.
    epoch owner;
    /// Requests that came before the child; bounded.
    std::deque<ingest_ptr> waiting;
    /// As of clock::monotonic_ms.
    std::int64_t waiting_since = 0;
    std::int64_t active_at = 0;
    /// When an own look at the settings was taken, while there is no supervisor.
    std::int64_t refreshed_at = 0;
    /// The supervisor is being asked for.
    bool asking = false;
  };

  node_agent_state(node_root_actor::pointer self, context_ptr context, std::optional<cluster_part> part = std::nullopt);

  node_root_actor::behavior_type make_behavior();

  tenant_supervisor_actor supervisor_of(tenant_id tenant);
  void tenant_down(const caf::down_msg& down);
  settings_ptr remembered(tenant_id tenant) const;
  void remember(tenant_id tenant, const settings_ptr& fresh);
  void look_for_due();
  void send_controls(tenant_id tenant);
  void forget(tenant_id tenant);
  void watch_when_free(tenant_id tenant);
  caf::result<void> send_control(tenant_id tenant, const slot::control& control);
  caf::result<void> drain();
  caf::result<statuses_ptr> statuses();
  void alert(tenant_id tenant);

  // node_slots.cpp: which slots are held here.
  void own_every_slot();
  caf::result<std::string> join();
  void start_slot(slot_id slot, const slot_claim& claim);
  caf::result<void> release_slot(slot_id slot, epoch under, bool graceful);
  void end_slot(slot_id slot, epoch under);
  bool slot_down(const caf::down_msg& down);
  std::vector<slot_id> slots_here() const;
  void measure_loads();
  void see(const cluster_view_ptr& seen);

  // node_training.cpp: trainings, here or where there is more room.
  void train_when_free(tenant_id tenant, const std::string& kind);
  caf::result<training_ptr> train(tenant_id tenant, const std::string& kind);
  scoring::file_formats formats() const;
  void train_here(const training_order& order);
  void train_there(const node_id& node, const training_order& order);
  void trained(const training_order& order, const training_ptr& done);
  void trainings_lost(const std::string& node);
  caf::result<training_report> train_for_peer(tenant_id tenant, const std::string& kind);

  // node_scoring.cpp: scores without storing.
  caf::result<score_report> score(const score_order& order);
  void ask_score(const score_order& order, const caf::typed_response_promise<score_report>& promise, int tries);
  void answer_score(const score_order& order, caf::typed_response_promise<score_report> promise, int tries,
                    const score_report& report);

  // node_hosting.cpp: the ingestion children on this node.
  std::string own_name() const;
  void ingest(ingest_ptr request);
  void attend(tenant_id tenant);
  void attend_owner(tenant_id tenant, slot_id slot);
  void ask_supervisor(tenant_id tenant, epoch owner);
  void not_attended(tenant_id tenant, const std::string& why);
  void not_within_reach(tenant_id tenant);
  void make_ingestion(tenant_id tenant, const ingestion_settings& by);
  caf::result<ingestion_actor> host(const ingestion_order& order);
  bool is_own(const tenant_supervisor_actor& supervisor) const;
  void let_go(hosted_ingestion& h);
  void refresh_alone(tenant_id tenant);
  void hosted_down(tenant_id tenant, const caf::actor_addr& gone);
  void look_after_hosted();
  caf::result<void> attended(const attend_note& what);

  // node_peers.cpp: what goes to other nodes.
  void tell_others();
  cluster::census own_census() const;
  caf::result<std::vector<cluster::census>> census(bool everywhere);
  void set_peer(const std::string& node, const caf::strong_actor_ptr& to, std::int32_t wire);
  linked_peer owner_of(slot_id slot) const;
  held_slot* held_here(slot_id slot);
  std::int64_t lending_since(held_slot& held, tenant_id tenant);
  void ask_owner(const lend_request& what, caf::typed_response_promise<lend_answer> promise, int tries);
  caf::result<lend_answer> lend(const lend_request& what);
  void settle(const settle_note& what);

  node_root_actor::pointer self;
  context_ptr context;
  std::vector<store_worker_actor> workers;
  std::map<slot_id, held_slot> slots;
  std::optional<cluster_part> part;
  lease_keeper_actor keeper;
  /// The nodes that this one is linked with.
  std::map<std::string, linked_peer> peers;
  cluster_view_ptr view;
  std::unordered_map<tenant_id, tenant_supervisor_actor> supervisors;
  std::unordered_map<tenant_id, hosted_ingestion> hosted;
  /// The tenant of each supervisor and child that is watched here.
  std::unordered_map<caf::actor_addr, tenant_id> whose;
  /// As the supervisors last read them: a tenant that wakes while the store is away goes on with these.
  std::unordered_map<tenant_id, settings_ptr> last_known;
  bool asking_due = false;
  bool training = false;
  std::uint64_t trainings_ordered = 0;
  /// Those that other nodes do for this one, by number.
  std::map<std::uint64_t, training_order> trainings_elsewhere;
  /// A look at some tenant's metrics is under way.
  bool watching = false;
  bool leaving = false;
};

using node_agent = caf::stateful_actor<node_agent_state, node_root_actor::base>;

} // namespace pulse
