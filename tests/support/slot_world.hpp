// A world of one slot in one thread and virtual time: real state machines over a log, a store and children that are
// fakes, with faults drawn from a seed. Old owners go on as zombies. The same seed gives the same run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/slot/machine.hpp"

namespace pulse::test {

/// A tenant's children as one object: what the enrichment and scoring actors hold.
class child {
public:
  virtual ~child() = default;

  /// Throws std::runtime_error on poison.
  virtual slot::part_result work(const slot::part& p) = 0;
};

struct child_maker {
  /// Makes children from stored images.
  std::function<std::unique_ptr<child>(tenant_id, const std::map<std::int32_t, slot::chunk_image>&)> make;
};

struct world_faults {
  double child_killed = 0;
  double load_fails = 0;
  double commit_fails = 0;
  double answer_of_commit_lost = 0;
  double owner_changes = 0;
  /// Somebody asks a tenant's children.
  double called = 0;
  bool as_of_lags = false;
  /// Negative controls: each takes one guard out.
  bool without_epoch_check = false;
  bool without_deduplication = false;
  bool without_set_aside = false;
};

/// The store: what a Postgres would hold, changed by whole transactions only.
struct world_store {
  std::int64_t position = 0;
  std::int64_t epoch = 0;
  /// By offset: how often an effect was stored, and what.
  std::map<std::int64_t, std::vector<slot::processed>> effects;
  std::map<tenant_id, std::map<std::int32_t, slot::chunk_image>> images;
  std::map<tenant_id, std::int64_t> image_as_of;
  std::map<tenant_id, std::int64_t> last_offset;
  std::set<std::string> event_ids;
  /// How often a message was stored that was not known as a duplicate.
  std::map<std::string, int> stored_times;
  std::int64_t duplicates = 0;

  /// The transaction of a batch by an owner under this epoch. A position that goes back is written into `violations`.
  result<void> apply(std::int64_t by_epoch, const slot::batch& b, const world_faults& faults,
                     std::vector<std::string>& violations);

  /// Whose state is behind, as a new owner finds it.
  std::vector<slot::dirty_tenant> dirty() const;

  /// Up to where the tenant's images go; -1: none.
  std::int64_t as_of(tenant_id tenant) const;

  /// What was set aside of the tenant above this offset.
  std::vector<log_offset> set_aside(tenant_id tenant, std::int64_t above) const;
};

class slot_world {
public:
  slot_world(std::uint64_t seed, std::vector<slot::item> raw, child_maker maker, world_faults faults,
             slot::machine_config config);

  /// Runs until everything in raw is stored and the owner has drained; false when it does not come to an end.
  bool run();

  const world_store& store() const {
    return store_;
  }

  const std::vector<std::string>& violations() const {
    return violations_;
  }

private:
  struct owner {
    std::int64_t epoch = 0;
    slot::machine machine;
    std::map<tenant_id, std::pair<std::uint64_t, std::unique_ptr<child>>> children;
    bool zombie = false;
    bool draining = false;
  };

  using deed = std::function<void(std::vector<slot::action>&)>;

  bool chance(double p);
  void take_over();
  void call(owner& o);
  void later(owner& o, deed what, std::int64_t within_ms = 20);
  void act(owner& o, std::vector<slot::action>& actions);
  void read(owner& o, const slot::read_action& a);
  void load(owner& o, const slot::load_action& a);
  void replay(owner& o, const slot::replay_read_action& a);
  void send(owner& o, slot::send_action a);
  void commit(owner& o, const slot::commit_action& a);

  std::mt19937_64 random_;
  std::vector<slot::item> raw_;
  child_maker maker_;
  world_faults faults_;
  slot::machine_config config_;
  world_store store_;
  std::vector<std::string> violations_;
  std::vector<std::unique_ptr<owner>> owners_;
  std::multimap<std::int64_t, std::pair<owner*, deed>> queue_;
  time_ms now_{1'000'000};
};

} // namespace pulse::test
