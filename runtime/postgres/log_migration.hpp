// What `pulse migrate log` asks of the database and does to it: whether a log generation is stored to its end, and its
// tenants' state carried over to another one, in one transaction. Blocking; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

/// What keeps a slot from being left.
struct slot_left {
  slot_id slot;
  /// Records of raw that are not stored yet.
  std::int64_t records = 0;
  /// Tenants whose scoring state is stored as of an earlier record than their last one.
  std::int64_t tenants_behind = 0;
};

struct log_migrated {
  log_generation from;
  log_generation to;
  /// RFC 3339.
  std::string at;
  std::int64_t tenants = 0;
  std::int64_t images = 0;
};

class log_migration {
public:
  explicit log_migration(const std::string& url);

  /// The migration that left this generation, if there was one.
  result<std::optional<log_migrated>> left_by(log_generation from);

  /// Whether this generation went on from another one.
  result<bool> was_entered(log_generation to);

  /// `conflict` while sessions of a serving node are open, on whichever machine; waits some seconds for those that are
  /// ending.
  result<void> nobody_serves();

  /// What is left to do in a generation whose raw ends there, by slot; empty when nothing is. `ends` by slot number.
  result<std::vector<slot_left>> left(log_generation generation, const std::vector<log_offset>& ends);

  /// Begins generation `to`: every tenant gets a slot of `slots`, its state's images are carried over, positions start
  /// at 0. All or nothing. `progress`: tenants that are done, and there are. `conflict` when something was stored under
  /// `to` already.
  result<log_migrated> move(log_generation from, log_generation to, int slots,
                            const std::function<void(std::int64_t, std::int64_t)>& progress);

private:
  std::string url_;
  session node_;
  session writer_;
};

} // namespace pulse::postgres
