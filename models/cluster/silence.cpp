#include "models/cluster/silence.hpp"

#include <algorithm>

namespace pulse::cluster {

std::int64_t silence::silent_ms(sight& known, const std::string& incarnation, time_ms at, std::int64_t sent,
                                std::int64_t now) {
  if (known.incarnation != incarnation || known.at != at) {
    known = {incarnation, at, now};
    return 0;
  }
  return std::max<std::int64_t>(0, sent - known.first_seen);
}

void silence::age(view& v, std::int64_t sent, std::int64_t now, std::int64_t term_ms) {
  for (auto& n : v.nodes) {
    const auto quiet = silent_ms(heartbeats_[n.id], n.incarnation, n.heartbeat, sent, now);
    if (quiet > 0)
      n.heartbeat = std::min(n.heartbeat, time_ms{v.now.value - quiet});
  }
  for (auto& l : v.leases)
    l.silent = !is_free(l) && silent_ms(ends_[l.slot], l.incarnation, l.expires, sent, now) > term_ms;
}

} // namespace pulse::cluster
