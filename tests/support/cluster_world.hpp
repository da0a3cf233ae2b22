// A cluster in one thread and virtual time: real lease keepers, real placement and real slot machines on virtual nodes,
// over a network, a database and clocks that are fakes, with faults drawn from a seed. The same seed gives the same
// run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/cluster/keeper.hpp"
#include "tests/support/fake_cluster_store.hpp"
#include "tests/support/hashing_child.hpp"

namespace pulse::test {

struct cluster_setup {
  int nodes = 4;
  int slots = 5;
  int tenants_a_slot = 2;
  int records_a_slot = 60;
  std::int64_t term_ms = 3000;
  /// Faults happen before this moment; then all heals.
  std::int64_t heal_ms = 14'000;
  int faults_max = 8;
  /// Each message, in either direction, while faults happen.
  double lost = 0.01;
  double repeated = 0.02;
  /// Negative controls: each takes one guard out.
  bool without_epoch_check = false;
  bool lease_kept_too_long = false;
  /// Instead of faults from the seed: the database is away for this long, and nothing else happens.
  std::int64_t only_database_away_ms = 0;
};

/// What a run came to.
struct cluster_outcome {
  /// Empty when all promises held.
  std::vector<std::string> violations;
  /// From healing until every slot was owned again.
  std::int64_t owned_after_ms = 0;
  std::int64_t takes = 0;
  std::int64_t moves = 0;
  std::int64_t steps = 0;
};

class cluster_world {
public:
  cluster_world(std::uint64_t seed, cluster_setup setup);

  cluster_outcome run();

private:
  enum class fault_kind {
    cut,
    cut_requests,
    cut_answers,
    pause,
    crash,
    slow,
    database_away,
    database_hangs,
    database_jumps,
    drain
  };

  struct fault {
    fault_kind kind;
    std::size_t node;
    std::int64_t at;
    std::int64_t until;
  };

  struct owner {
    pulse::epoch epoch;
    std::optional<slot::machine> machine;
    std::map<tenant_id, std::pair<std::uint64_t, std::unique_ptr<child>>> children;
    bool stopping = false;
  };

  /// One life of a node's program.
  struct one_life {
    std::int64_t number;
    node_run who;
    std::unique_ptr<cluster::keeper> keeper;
    std::map<slot_id, owner> owners;
  };

  struct node {
    node_id id;
    double clock_rate = 1;
    std::int64_t clock_offset = 0;
    std::unique_ptr<one_life> life;
    std::int64_t starts_at = 0;
    bool gone_for_good = false;
    std::vector<std::string> dead_runs;
    std::int64_t paused_until = 0;
    std::int64_t requests_cut_until = 0;
    std::int64_t answers_cut_until = 0;
    std::int64_t slow_until = 0;
  };

  /// What a database holds for one slot beside the lease.
  struct slot_rows {
    std::vector<slot::item> raw;
    std::int64_t period_ms;
    world_store store;
  };

  struct take_over_answer {
    log_offset position;
    std::vector<slot::dirty_tenant> dirty;
  };

  using keeper_feed = std::function<void(cluster::keeper&, std::int64_t, std::vector<cluster::action>&)>;
  using owner_feed = std::function<void(owner&, time_ms, std::vector<slot::action>&)>;

  // cluster_world.cpp: time, chance, faults, what is checked.
  bool chance(double p);
  std::int64_t between(std::int64_t low, std::int64_t high);
  void draw_faults();
  void start(node& n);
  void end(node& n, bool predecessor_dead, std::int64_t restart_at);
  void begin(const fault& f);
  void heal();
  void tick(std::size_t index);
  void check_owners();
  void check_stored();
  std::string describe(slot_id slot) const;
  bool is_effective(const node& n, slot_id slot, const owner& o) const;
  bool all_stored() const;
  std::int64_t local(const node& n) const;
  void later(std::int64_t delay, std::function<void()> what);
  void wrong(const std::string& what);

  // cluster_world_node.cpp: a node's messages, its keeper's actions and its slots' actions.
  void on_node(std::size_t index, std::int64_t life, std::int64_t delay, std::function<void(node&)> what);
  template <class Answer>
  void ask(std::size_t index, std::function<result<Answer>()> execute,
           std::function<void(node&, const result<Answer>&)> done);
  void feed_keeper(node& n, const keeper_feed& feed);
  void carry_out(node& n, const cluster::action& a);
  void ask_view(std::size_t index, std::uint64_t request, std::function<result<cluster::view>()> execute);
  void start_slot(node& n, slot_id slot, pulse::epoch epoch);
  void stop_slot(node& n, const cluster::stop_action& a);
  void feed_owner(std::size_t index, std::int64_t life, slot_id slot, pulse::epoch epoch, std::int64_t delay,
                  owner_feed feed);
  void step_owner(node& n, slot_id slot, owner& o, const owner_feed& feed);
  void act(std::size_t index, slot_id slot, owner& o, slot::action& a);
  void load(std::size_t index, slot_id slot, owner& o, const slot::load_action& a);
  void send(std::size_t index, slot_id slot, owner& o, slot::send_action a);
  void commit(std::size_t index, slot_id slot, owner& o, const slot::commit_action& a);
  std::int64_t latency(const node& n);
  std::int64_t visible_end(const slot_rows& s) const;

  cluster_setup setup_;
  std::mt19937_64 random_;
  std::int64_t now_ = 0;
  std::int64_t database_offset_ = 1'790'000'000'000;
  std::int64_t database_away_until_ = 0;
  bool database_hangs_ = false;
  bool healed_ = false;
  std::int64_t unproven_death_at_ = -1;
  /// When last every node that ran was draining: nobody could own anything.
  std::int64_t all_leaving_at_ = -1;
  std::int64_t next_life_ = 1;
  std::vector<node> nodes_;
  std::vector<fault> faults_;
  fake_cluster_rows rows_;
  std::map<slot_id, slot_rows> slots_;
  std::map<std::pair<slot_id, pulse::epoch>, std::int64_t> life_of_epoch_;
  std::map<slot_id, std::int64_t> owned_at_;
  std::multimap<std::int64_t, std::function<void()>> queue_;
  cluster_outcome outcome_;
};

} // namespace pulse::test
