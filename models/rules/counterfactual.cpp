#include "models/rules/counterfactual.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <optional>

namespace pulse::rules {

namespace {

constexpr std::size_t pair_candidates_max = 48;
constexpr int doublings_max = 12;
constexpr int halvings = 20;
/// A text that no rule and no list names.
constexpr std::string_view another = "\x1f another";

/// One thing moved: an input (its new value) or a feature.
struct move {
  std::size_t input = SIZE_MAX;
  value to;
  std::size_t feature = SIZE_MAX;
  float level = 0;
  double distance = 0;
};

std::string told(const value& v) {
  return v.kind == value_kind::text && v.text == another ? "any other" : describe(v);
}

double distance_of(const value& a, const value& b) {
  if (a.kind == value_kind::text || a.kind == value_kind::boolean || !a.known() || !b.known())
    return 1;
  const auto x = static_cast<double>(a.number), y = static_cast<double>(b.number);
  const auto largest = std::max({std::abs(x), std::abs(y), 1.0});
  return std::abs(x - y) / largest;
}

class search {
public:
  explicit search(const case_to_flip& c) : case_(c), now_(outcome({})) {
  }

  flip run() {
    flip out{now_, now_, {}};
    for (std::uint32_t r = 0; r < case_.set.rules().size(); ++r)
      if (const auto& rule = case_.set.rules()[r]; rule.state == rule_state::live && rule.broken.empty())
        for (const auto& h : rule.program.hinges)
          add_turns(rule.program, h);
    add_features();
    std::stable_sort(moves_.begin(), moves_.end(),
                     [](const move& a, const move& b) { return a.distance < b.distance; });
    if (!try_single(out))
      try_pairs(out);
    return out;
  }

private:
  verdict outcome(std::initializer_list<const move*> moves) const {
    auto values = case_.values;
    auto row = case_.row;
    bool features_moved = false;
    for (const auto* m : moves) {
      if (m->input != SIZE_MAX)
        values[m->input] = m->to;
      else {
        row[m->feature] = m->level;
        features_moved = true;
      }
    }
    if (!features_moved || !case_.model)
      return outcome_only(case_.set, values, case_.event, case_.lists, case_.said, case_.policy);
    const auto said = case_.model(row);
    read_model_inputs(case_.set, row, said, values);
    return outcome_only(case_.set, values, case_.event, case_.lists, said, case_.policy);
  }

  void add(std::size_t input, value to) {
    const auto& from = case_.values[input];
    if (to == from)
      return;
    const bool twice =
        std::any_of(moves_.begin(), moves_.end(), [&](const move& m) { return m.input == input && m.to == to; });
    if (!twice)
      moves_.push_back({input, to, SIZE_MAX, 0, distance_of(from, to)});
  }

  /// The smallest step of such a number: a whole one of what is counted, the minor unit of money.
  static std::int64_t step_of(const input& i, const value& v) {
    if (v.kind == value_kind::duration)
      return second_ms;
    if (v.kind == value_kind::money) {
      std::int64_t out = 1'000'000;
      for (auto digits = minor_digits(v.unit); digits > 0; --digits)
        out /= 10;
      return out;
    }
    return i.kind == input_kind::window || i.kind == input_kind::field ? 1'000'000 : 10'000;
  }

  /// Values of the hinge's input around the one at which its comparison turns.
  void add_turns(const program& p, const hinge& h) {
    const auto& i = case_.set.inputs()[h.input];
    if (i.kind == input_kind::feature || i.kind == input_kind::model_score)
      return;
    const auto& from = case_.values[h.input];
    for (const auto& c : h.against)
      add_around(h.input, i, from, c.get());
    if (h.other_input >= 0 && case_.values[static_cast<std::size_t>(h.other_input)].known())
      add_around(h.input, i, from, case_.values[static_cast<std::size_t>(h.other_input)]);
    if (h.set >= 0 && case_.lists != nullptr && i.type == type::text) {
      const auto first = case_.lists->first_of(p.sets[static_cast<std::size_t>(h.set)].list);
      if (!first.empty())
        add(h.input, value::of(first));
    }
    if (i.type == type::text && from.known())
      add(h.input, value::of(another));
    if (i.type == type::boolean && from.known())
      add(h.input, value::of(!from.is_true()));
  }

  void add_around(std::size_t input, const rules::input& i, const value& from, value at) {
    if (at.kind == value_kind::number && (from.kind == value_kind::money || i.type == type::money))
      at = value::money_micro(at.number, from.kind == value_kind::money ? from.unit : unit());
    if (from.known() && !comparable(from, at))
      return;
    if (at.kind == value_kind::text || at.kind == value_kind::boolean)
      return add(input, at);
    const auto step = step_of(i, at);
    for (auto by : {-step, std::int64_t{0}, step}) {
      auto v = at;
      if (__builtin_add_overflow(at.number, by, &v.number))
        continue;
      if (v.number >= 0 || i.kind == input_kind::property || i.kind == input_kind::context)
        add(input, v);
    }
  }

  currency unit() const {
    const auto& amount = case_.event.of().amount;
    return amount ? amount->unit : currency{};
  }

  void add_features() {
    if (!case_.model || case_.typical.size() != features::count)
      return;
    for (std::size_t j = 0; j < features::count; ++j) {
      const double from = case_.row[j], typical = case_.typical[j];
      if (std::isnan(from))
        continue;
      const auto reach = std::max({std::abs(from - typical), std::abs(typical) / 4, 0.5});
      std::optional<move> nearest;
      for (auto direction : {-1.0, 1.0})
        for (int k = 0; k < doublings_max; ++k) {
          // The first step towards what is typical lands on it.
          auto m = feature_move(j, from + direction * reach * std::exp2(k));
          if (outcome({&m}) == now_)
            continue;
          m = halved(j, from, m);
          if (!nearest || m.distance < nearest->distance)
            nearest = m;
          break;
        }
      if (nearest)
        moves_.push_back(*nearest);
      else if (from != typical)
        moves_.push_back(feature_move(j, typical));
    }
  }

  move feature_move(std::size_t j, double to) const {
    const double from = case_.row[j];
    move m;
    m.feature = j;
    m.level = static_cast<float>(to);
    m.distance = std::abs(to - from) / std::max({std::abs(from), std::abs(to), 1.0});
    return m;
  }

  /// Halves the way while the outcome stays changed.
  move halved(std::size_t j, double from, move best) const {
    double same = from, changed = best.level;
    for (int k = 0; k < halvings; ++k) {
      const auto middle = feature_move(j, (same + changed) / 2);
      if (outcome({&middle}) != now_) {
        changed = middle.level;
        best = middle;
      } else {
        same = middle.level;
      }
    }
    return best;
  }

  change told_change(const move& m) const {
    if (m.input != SIZE_MAX)
      return {case_.set.inputs()[m.input].name, told(case_.values[m.input]), told(m.to), m.distance};
    const auto natural = [&](float x) {
      return fmt::format("{:.6g}", features::natural(m.feature, x));
    };
    return {features::names()[m.feature], natural(case_.row[m.feature]), natural(m.level), m.distance};
  }

  bool try_single(flip& out) const {
    for (const auto& m : moves_)
      if (const auto to = outcome({&m}); to != now_) {
        out.to = to;
        out.changes = {told_change(m)};
        return true;
      }
    return false;
  }

  void try_pairs(flip& out) const {
    auto best = std::numeric_limits<double>::infinity();
    const auto n = std::min(moves_.size(), pair_candidates_max);
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = a + 1; b < n; ++b) {
        const auto& x = moves_[a];
        const auto& y = moves_[b];
        if ((x.input == y.input && x.feature == y.feature) || x.distance + y.distance >= best)
          continue;
        const auto to = outcome({&x, &y});
        if (to == now_)
          continue;
        best = x.distance + y.distance;
        out.to = to;
        out.changes = {told_change(x), told_change(y)};
      }
  }

  const case_to_flip& case_;
  verdict now_;
  std::vector<move> moves_;
};

} // namespace

flip find_flip(const case_to_flip& c) {
  return search(c).run();
}

} // namespace pulse::rules
