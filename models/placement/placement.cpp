#include "models/placement/placement.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "base/assert.hpp"

namespace pulse::placement {

namespace {

struct place {
  placement::node node;
  double load = 0;

  double utilisation() const {
    return load / node.capacity;
  }

  double with(double more) const {
    return (load + more) / node.capacity;
  }

  bool takes() const {
    return node.state == node_state::live && node.takes_slots;
  }

  /// A slot here has a holder that goes on, or that nobody may call dead yet.
  bool keeps() const {
    return node.state != node_state::dead;
  }

  /// Its slots have to go elsewhere, at the capped pace.
  bool gives_all() const {
    return node.state == node_state::draining || (node.state == node_state::live && !node.takes_slots);
  }
};

class planner {
public:
  planner(std::vector<node> nodes, std::vector<slot> slots, const settings& s) :
    settings_(s), slots_(std::move(slots)), budget_(s.moves_max) {
    for (auto& n : nodes) {
      PULSE_ASSERT(n.capacity > 0, "a node's capacity is above 0");
      places_[n.id] = {n, 0};
    }
    for (auto& l : slots_)
      l.load = std::max(l.load, 0.0) + settings_.slot_load_min;
    // The heaviest first: what is light then fills the gaps. By id among equals, so that the order given is nothing.
    std::sort(slots_.begin(), slots_.end(),
              [](const slot& a, const slot& b) { return a.load != b.load ? a.load > b.load : a.id < b.id; });
    for (auto& l : slots_)
      count(l);
  }

  std::vector<move> run() && {
    give_homeless();
    empty_draining();
    even_out();
    return std::move(moves_);
  }

private:
  place* find(const node_id& id) {
    const auto it = id.value.empty() ? places_.end() : places_.find(id);
    return it == places_.end() ? nullptr : &it->second;
  }

  /// The node that holds the slot and goes on; nothing when there is none.
  place* keeper_of(const slot& l) {
    auto* here = l.held ? find(l.holder) : nullptr;
    return here != nullptr && here->keeps() ? here : nullptr;
  }

  /// A slot's load stands where it is going to be.
  void count(slot& l) {
    auto* there = find(l.heading);
    const bool moving = there != nullptr && there->takes() && l.heading != l.holder;
    if (!moving)
      l.heading = {};
    auto* here = keeper_of(l);
    if (moving) {
      there->load += l.load;
      budget_ -= here != nullptr ? std::min<std::size_t>(budget_, 1) : 0;
    } else if (here != nullptr) {
      here->load += l.load;
    }
  }

  /// The node that would be the least utilised with this load; nothing when no node takes slots.
  place* roomiest(double load) {
    place* best = nullptr;
    for (auto& [id, p] : places_)
      if (p.takes() && (best == nullptr || p.with(load) < best->with(load)))
        best = &p;
    return best;
  }

  void record(slot& l, place& to, std::string reason) {
    if (auto* from = keeper_of(l))
      from->load -= l.load;
    to.load += l.load;
    moves_.push_back({l.id, l.holder, to.node.id, std::move(reason)});
    l.heading = to.node.id;
  }

  void give_homeless() {
    for (auto& l : slots_) {
      if (!l.heading.value.empty() || keeper_of(l) != nullptr)
        continue;
      auto* to = roomiest(l.load);
      if (to == nullptr)
        return;
      const auto why = l.holder.value.empty() ? std::string("nobody holds it") : l.holder.value + " holds it no more";
      record(l, *to,
             fmt::format("{}; {} has the most room: utilisation {:.2f}, with this slot's load of {:.2f} {:.2f}", why,
                         to->node.id.value, to->utilisation(), l.load, to->with(l.load)));
    }
  }

  void empty_draining() {
    for (auto& l : slots_) {
      const auto* from = keeper_of(l);
      if (budget_ == 0)
        return;
      if (!l.heading.value.empty() || from == nullptr || !from->gives_all())
        continue;
      auto* to = roomiest(l.load);
      if (to == nullptr)
        return;
      const auto why = from->node.state == node_state::draining ? "is draining" : "takes no slots";
      record(l, *to,
             fmt::format("{} {}; {} has the most room: utilisation {:.2f}, with this slot's load of {:.2f} {:.2f}",
                         from->node.id.value, why, to->node.id.value, to->utilisation(), l.load, to->with(l.load)));
      --budget_;
    }
  }

  double mean() const {
    double load = 0;
    double capacity = 0;
    for (const auto& [id, p] : places_)
      if (p.takes()) {
        load += p.load;
        capacity += p.node.capacity;
      }
    return capacity > 0 ? load / capacity : 0;
  }

  /// From the busiest to the idlest, the slot that leaves the busier of the two the least busy. Each move lowers the
  /// higher of two utilisations, so this ends.
  void even_out() {
    std::vector<place*> order;
    for (auto& [id, p] : places_)
      if (p.takes())
        order.push_back(&p);
    const auto margin = settings_.margin * mean();
    while (budget_ > 0) {
      std::stable_sort(order.begin(), order.end(),
                       [](const place* a, const place* b) { return a->utilisation() > b->utilisation(); });
      if (!move_one(order, margin))
        return;
      --budget_;
    }
  }

  bool move_one(const std::vector<place*>& order, double margin) {
    for (auto* from : order)
      for (auto to = order.rbegin(); to != order.rend() && *to != from; ++to) {
        const auto apart = from->utilisation() - (*to)->utilisation();
        if (apart <= margin)
          break;
        slot* best = nullptr;
        auto lowest = from->utilisation();
        for (auto& l : slots_) {
          // To a node that has nothing it may go: that is no to and fro.
          if (l.resting && (*to)->load > 0)
            continue;
          if (!l.held || l.holder != from->node.id || !l.heading.value.empty())
            continue;
          // Turned round by as much as it was, noise would send it back.
          if ((*to)->with(l.load) - from->with(-l.load) > apart - margin)
            continue;
          const auto after = std::max(from->with(-l.load), (*to)->with(l.load));
          if (after < lowest) {
            lowest = after;
            best = &l;
          }
        }
        if (best == nullptr)
          continue;
        record(*best, **to,
               fmt::format("evens {} at {:.2f} and {} at {:.2f} to at most {:.2f}, by this slot's load of {:.2f}; the "
                           "mean is {:.2f}, a difference of up to {:.2f} would be left alone",
                           from->node.id.value, from->utilisation(), (*to)->node.id.value, (*to)->utilisation(), lowest,
                           best->load, mean(), margin));
        return true;
      }
    return false;
  }

  const settings& settings_;
  std::vector<slot> slots_;
  std::size_t budget_;
  std::map<node_id, place> places_;
  std::vector<move> moves_;
};

} // namespace

std::vector<std::string> settings::validate() const {
  std::vector<std::string> out;
  if (!(margin >= 0 && margin <= 1))
    out.emplace_back("margin has to be from 0 to 1");
  if (moves_max < 1 || moves_max > 1024)
    out.emplace_back("moves_max has to be from 1 to 1024");
  if (!(slot_load_min > 0))
    out.emplace_back("slot_load_min has to be above 0");
  return out;
}

std::vector<move> plan(std::vector<node> nodes, std::vector<slot> slots, const settings& s) {
  return planner(std::move(nodes), std::move(slots), s).run();
}

} // namespace pulse::placement
