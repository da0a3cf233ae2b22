// Drives one slot: carries out what models/slot's machine says, with the log, the store_writer and the tenants'
// supervisors, and tells it how that went. Detached: it reads the log. Child of the node_agent; lives while the node
// holds the slot.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

struct slot_reader_state {
  static inline constexpr const char* name = "pulse.slot_reader";

  /// Without a claim the slot is owned by the data directory's lock.
  slot_reader_state(slot_reader_actor::pointer self, context_ptr context, slot_id slot, node_agent_actor agent,
                    std::optional<slot_claim> claim = std::nullopt);

  slot_reader_actor::behavior_type make_behavior();

  void take_over();
  void carry_out(std::vector<slot::action>& actions);
  void read(const slot::read_action& a, std::vector<slot::action>& out);
  void load(const slot::load_action& a);
  void replay(const slot::replay_read_action& a, std::vector<slot::action>& out);
  void send(slot::send_action a);
  void fetch_and_send(std::shared_ptr<slot::send_action> a, std::vector<slot::control> wanted);
  void commit(const slot::commit_action& a);
  void stored(const slot::batch& batch, const commit_outcome& outcome, std::int64_t started_ms);
  void stop(const error& why);
  void tick();
  void beat();
  void be_busy(std::int64_t for_ms);
  void finish_drain();
  void trim();

  // slot_scores.cpp: scores without storing.
  struct waiting_score {
    caf::typed_response_promise<score_report> promise;
    std::vector<std::string> records;
    std::size_t bytes = 0;
    /// As of clock::monotonic_ms.
    std::int64_t until_ms = 0;
  };
  struct tenant_scores {
    /// In order; bounded.
    std::deque<waiting_score> waiting;
    bool under_way = false;
    /// Of the tenant's children over such requests, one after the other.
    int deaths = 0;
    std::int64_t refused_until_ms = 0;
    std::int64_t remembered_until_ms = 0;
  };
  caf::result<score_report> score(const score_order& order);
  void look_after_scores();
  void wake_or_ask(tenant_id tenant, tenant_scores& asked, std::vector<slot::action>& actions);
  void ask_children(tenant_id tenant, tenant_scores& asked);
  void scored(tenant_id tenant, std::size_t model_bytes);
  void not_scored_by(tenant_id tenant, std::uint64_t incarnation, const caf::error& e);
  void died_over_score(tenant_scores& asked);
  waiting_score take_score(tenant_scores& asked);
  time_ms now() const;

  /// Runs the machine and then what it says.
  template <class Feed>
  void feed(Feed&& f) {
    if (!machine)
      return;
    std::vector<slot::action> actions;
    f(*machine, actions);
    carry_out(actions);
    finish_drain();
    look_after_scores();
  }

  slot_reader_actor::pointer self;
  context_ptr context;
  slot_id slot;
  node_agent_actor agent;
  std::optional<slot_claim> claim;
  store_writer_actor writer;
  std::optional<slot::machine> machine;
  epoch held;
  std::string state = "taking over";
  /// Set by the log's thread; one wake in the mailbox is enough.
  std::shared_ptr<std::atomic<bool>> woken = std::make_shared<std::atomic<bool>>(false);
  std::unordered_map<tenant_id, std::pair<std::uint64_t, tenant_supervisor_actor>> supervisors;
  std::vector<caf::typed_response_promise<void>> draining;
  std::map<tenant_id, tenant_scores> scores;
  /// Of what waits in them; bounded.
  std::size_t scores_bytes = 0;
  bool drain_wanted = false;
  bool taking = false;
  bool beating = false;
  std::int64_t busy_until_ms = 0;
  std::int64_t trimmed_at_ms = 0;
};

using slot_reader = caf::stateful_actor<slot_reader_state, slot_reader_actor::base>;

} // namespace pulse
