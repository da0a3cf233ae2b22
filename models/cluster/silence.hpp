// How long nodes have been silent, on this machine's own clock. Heartbeats and the ends of leases are in the database's
// time, and while that clock is set back those of before lie in the future: a node that dies then would look alive
// until they are past.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "models/cluster/types.hpp"

namespace pulse::cluster {

class silence {
public:
  /// Makes each heartbeat of the view at least as old as this machine has seen it unchanged, and says which leases are
  /// silent. The view is the answer to a question of `sent` that came at `now`. An older answer that comes late only
  /// makes the wait longer.
  void age(view& v, std::int64_t sent, std::int64_t now, std::int64_t term_ms);

private:
  struct sight {
    std::string incarnation;
    time_ms at;
    std::int64_t first_seen = 0;
  };

  static std::int64_t silent_ms(sight& known, const std::string& incarnation, time_ms at, std::int64_t sent,
                                std::int64_t now);

  std::map<node_id, sight> heartbeats_;
  std::map<slot_id, sight> ends_;
};

} // namespace pulse::cluster
