#include "models/rules/warnings.hpp"

#include <fmt/format.h>
#include <optional>
#include <set>
#include <string>

namespace pulse::rules {

namespace {

struct range {
  int low = 0;
  int high = 0;
};

std::optional<range> range_of(const input& i) {
  if (i.kind == input_kind::field && i.field == field::hour)
    return range{0, 23};
  if (i.kind == input_kind::field && i.field == field::weekday)
    return range{1, 7};
  return std::nullopt;
}

bool divides_by_zero(const program& p) {
  for (std::size_t k = 1; k < p.code.size(); ++k) {
    const auto& i = p.code[k];
    const auto& right = p.code[k - 1];
    if (i.what == op::calculate && static_cast<arithmetic>(i.detail) == arithmetic::div && right.what == op::constant &&
        p.constants[right.arg].v.number == 0)
      return true;
  }
  return false;
}

/// True where no value of the range passes.
bool is_never(const hinge& h, const range& r) {
  // `not in` is true of everything else.
  if (h.against.empty() || (h.set >= 0 && h.how == comparison::ne))
    return false;
  for (int x = r.low; x <= r.high; ++x)
    for (const auto& c : h.against)
      if (compare(h.how, value::whole(x), c.get()))
        return false;
  return true;
}

} // namespace

std::vector<problem> warnings_of(const rule_set& set, const list_source* lists) {
  std::vector<problem> out;
  for (std::size_t k = 0; k < set.rules().size(); ++k) {
    const auto& r = set.rules()[k];
    const auto warn = [&](std::string_view code, std::string detail) {
      if (out.size() < problems_max)
        out.push_back({std::string(code), fmt::format("/rules/{}/when", k), std::move(detail), 0, 0});
    };
    std::set<std::string> missing;
    for (const auto& s : r.program.sets)
      if (!s.list.empty() && (lists == nullptr || !lists->has(s.list)) && missing.insert(s.list).second)
        warn("unknown_list", fmt::format("there is no list `{}`: until it is published nothing is in it, and nothing "
                                         "is known not to be",
                                         s.list));
    if (divides_by_zero(r.program))
      warn("division_by_zero", "what is divided by 0 is never known, and makes its comparison false");
    if (r.state == rule_state::draft)
      continue; // its inputs are not those of the set
    for (const auto& h : r.program.hinges)
      if (const auto known = range_of(set.inputs()[h.input]); known && is_never(h, *known))
        warn("never_true", fmt::format("`{}` goes from {} to {}: this comparison is never true",
                                       set.inputs()[h.input].name, known->low, known->high));
  }
  return out;
}

} // namespace pulse::rules
