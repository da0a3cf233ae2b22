// Which node should hold which slot: a pure function of nodes, measured loads and today's placement. It balances by
// load per capacity, not by count; it is sticky: a slot moves only when the busier of two nodes gains more than a
// margin; and only so many moves are under way at once. The leader carries its moves out, and `cluster moves --dry-run`
// shows them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace pulse {

/// Name of a node, the same over its restarts. Empty: none.
using node_id = strong_id<struct node_tag, std::string>;

} // namespace pulse

namespace pulse::placement {

enum class node_state : std::uint8_t {
  live,
  /// Gives its slots away and takes none.
  draining,
  /// Not heard of, but nobody may say yet that it is dead: keeps what it has and takes none.
  silent,
  /// Its slots are given to others at once.
  dead,
};

struct node {
  node_id id;
  node_state state = node_state::live;
  /// What it can carry in relation to others (its cores, for instance); above 0.
  double capacity = 1;
  /// Its roles allow it to hold slots.
  bool takes_slots = true;
};

struct slot {
  slot_id id;
  /// Measured, in any unit that all slots share; not negative.
  double load = 0;
  /// Who holds it, or held it last; empty when nobody did.
  node_id holder;
  /// Where it is on its way to; empty when it is not moving.
  node_id heading = {};
  /// False: its holder does not hold it any more, whatever that node's state is.
  bool held = true;
  /// It was moved a moment ago and is not moved again only to even out, but to a node that has nothing: what it loads
  /// its node with is not known yet.
  bool resting = false;
};

struct settings {
  /// Two nodes are evened out only when their utilisations differ by more than this share of the mean, and never by a
  /// slot that would turn the difference round to within this of what it was.
  double margin = 0.10;
  /// Moves under way at once. Slots whose holder is gone do not count: they are given at once.
  std::size_t moves_max = 4;
  /// What an idle slot counts, so that these are spread as well.
  double slot_load_min = 1;
  /// For so long after a move a slot rests (see slot::resting): about as long as its load takes to be known.
  std::int64_t rest_ms = 30'000;

  /// Every problem at once; empty when there is none.
  std::vector<std::string> validate() const;
};

struct move {
  slot_id slot;
  /// Empty when nobody held it.
  node_id from;
  node_id to;
  /// In words and numbers, for the history of moves and for people.
  std::string reason;

  bool operator==(const move&) const = default;
};

/// Moves in the order in which they should be made; none when all is well or no node is live. Deterministic, whatever
/// the order of the arguments. O(moves * nodes * slots).
std::vector<move> plan(std::vector<node> nodes, std::vector<slot> slots, const settings& s);

} // namespace pulse::placement
