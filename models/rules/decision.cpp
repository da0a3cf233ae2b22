#include "models/rules/decision.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "models/event/standard_fields.hpp"

namespace pulse::rules {

namespace {

constexpr std::size_t told_inputs_max = 6;
constexpr std::size_t told_bytes_max = 80;

/// Points and outcomes of the rules that count, live ones alone or with the shadow ones.
struct sum_of_rules {
  double points = 0;
  bool approved = false;
  verdict at_least = verdict::approve;

  void add(const rule& r) {
    points += r.points;
    approved = approved || r.outcome == verdict::approve;
    if (r.outcome)
      at_least = std::max(at_least, *r.outcome);
  }
};

struct limits {
  double review = 0;
  double decline = 0;
};

limits limits_of(const rule_set& set, const scoring::risk_policy& policy) {
  return {set.thresholds().review.value_or(policy.review), set.thresholds().decline.value_or(policy.decline)};
}

verdict outcome_of(double score, const sum_of_rules& sum, const limits& l) {
  const auto by_score = sum.approved         ? verdict::approve
                        : score >= l.decline ? verdict::decline
                        : score >= l.review  ? verdict::review
                                             : verdict::approve;
  return std::max(by_score, sum.at_least);
}

const snooze* snoozed_by(const rule& r, const subject& s) {
  for (const auto& z : r.snoozes)
    if (s.of().received_at < z.until && s.entity_text(z.entity) == z.value)
      return &z;
  return nullptr;
}

/// What the rule looked at, from which its hit can be followed.
std::string reason(const rule_set& set, const rule& r, const input_values& values) {
  std::string out;
  std::size_t told = 0;
  for (auto i : r.program.inputs) {
    if (told++ == told_inputs_max) {
      out += ", …";
      break;
    }
    auto text = describe(values[i]);
    if (text.size() > told_bytes_max)
      text = std::string(cut_utf8(text, told_bytes_max)) + "…";
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", set.inputs()[i].name, text);
  }
  return out;
}

risk_part part_of(const rule_set& set, const rule& r, const rule_result& result, const subject& s,
                  const input_values& values) {
  auto detail = reason(set, r, values);
  const auto would =
      fmt::format("would add {}{}", r.points, r.outcome ? fmt::format(" and {}", to_string(*r.outcome)) : "");
  if (result.snoozed) {
    const auto* z = snoozed_by(r, s);
    return {
        "snoozed",
        r.name,
        0,
        fmt::format("snoozed for this {} until {}, {}: {}", to_string(z->entity), format_time(z->until), would, detail),
        r.points,
        {}};
  }
  if (r.state == rule_state::shadow)
    return {"shadow", r.name, 0, fmt::format("in shadow, {}: {}", would, detail), r.points, {}};
  if (r.outcome)
    detail = fmt::format("{}: {}", to_string(*r.outcome), detail);
  return {"rule", r.name, r.points, std::move(detail), {}, {}};
}

struct tally {
  sum_of_rules live;
  sum_of_rules with_shadow;
};

tally run_all(const rule_set& set, const input_values& values, const subject& s, const list_source* lists,
              const std::function<void(const rule&, rule_result)>& each) {
  tally out;
  for (std::uint32_t i = 0; i < set.rules().size(); ++i) {
    const auto& r = set.rules()[i];
    if (r.state == rule_state::draft || !r.broken.empty())
      continue;
    auto ran = run(r.program, values, lists);
    rule_result result{i, ran.hit, false, std::move(ran.unknown_inputs), std::move(ran.unknown_lists)};
    result.snoozed = result.hit && snoozed_by(r, s) != nullptr;
    if (result.hit && !result.snoozed) {
      out.with_shadow.add(r);
      if (r.state == rule_state::live)
        out.live.add(r);
    }
    if (each)
      each(r, std::move(result));
  }
  return out;
}

double cut(double score) {
  return std::clamp(score, 0.0, 100.0);
}

value of_double(double x) {
  return std::isfinite(x) && std::abs(x) < 9e12 ? value::micro(std::llround(x * 1e6)) : value{};
}

bool is_of_rules(const risk_part& p) {
  return p.source == "rule" || p.source == "shadow" || p.source == "snoozed" || p.source == "rules" ||
         p.source == "lists";
}

/// The version of rules or lists that decided; empty for none.
std::string version_of(const pulse::risk& r, std::string_view source) {
  for (const auto& p : r.parts)
    if (p.source == source)
      return p.name;
  return {};
}

} // namespace

input_values read_inputs(const rule_set& set, const subject& s, const features::row& row, const pulse::risk& model,
                         const window_source& windows) {
  input_values out;
  out.reserve(set.inputs().size());
  for (const auto& i : set.inputs())
    out.push_back(i.kind == input_kind::window ? windows(i) : s.read(i));
  read_model_inputs(set, row, model, out);
  return out;
}

void read_model_inputs(const rule_set& set, const features::row& row, const pulse::risk& model, input_values& out) {
  for (std::size_t k = 0; k < out.size(); ++k) {
    const auto& i = set.inputs()[k];
    if (i.kind == input_kind::feature)
      out[k] = of_double(features::natural(i.feature, static_cast<double>(row[i.feature])));
    else if (i.kind == input_kind::model_score)
      out[k] = model.degraded ? value{} : of_double(model.score);
  }
}

decision decide(const rule_set& set, const input_values& values, const subject& s, const list_source* lists,
                const pulse::risk& model, const scoring::risk_policy& policy) {
  decision out;
  out.risk = model;
  const auto sums = run_all(set, values, s, lists, [&](const rule& r, rule_result result) {
    if (result.hit)
      out.risk.parts.push_back(part_of(set, r, result, s, values));
    out.results.push_back(std::move(result));
  });
  const auto whole = model.score + sums.live.points;
  out.risk.score = cut(whole);
  if (out.risk.score != whole)
    out.risk.parts.push_back({"rule", "limit", out.risk.score - whole, "a score lies between 0 and 100", {}, {}});
  const auto l = limits_of(set, policy);
  out.outcome = outcome_of(out.risk.score, sums.live, l);
  out.risk.level = scoring::level_of(out.risk.score, policy);
  out.risk.outcome = to_string(out.outcome);
  out.shadow_score = cut(model.score + sums.with_shadow.points);
  out.shadow_outcome = outcome_of(out.shadow_score, sums.with_shadow, l);
  out.risk.parts.push_back({"rules", set.id(), 0, keep_inputs(set, values), {}, {}});
  if (lists != nullptr)
    out.risk.parts.push_back({"lists", lists->version(), 0, {}, {}, {}});
  return out;
}

verdict outcome_only(const rule_set& set, const input_values& values, const subject& s, const list_source* lists,
                     const pulse::risk& model, const scoring::risk_policy& policy) {
  const auto sums = run_all(set, values, s, lists, {});
  return outcome_of(cut(model.score + sums.live.points), sums.live, limits_of(set, policy));
}

pulse::risk model_risk(const pulse::risk& stored) {
  auto out = stored;
  std::erase_if(out.parts, is_of_rules);
  out.score = 0;
  for (const auto& p : out.parts)
    out.score += p.points;
  return out;
}

result<decision> recompute(const rule_set& set, const event& stored, const features::row& row,
                           const enrichment_data& data, const list_source* lists, const scoring::risk_policy& policy) {
  const auto& parts = stored.risk.parts;
  if (version_of(stored.risk, "rules") != set.id())
    return error{ec::conflict, "other rules decided this event, or none", {}};
  if (version_of(stored.risk, "lists") != (lists == nullptr ? std::string{} : lists->version()))
    return error{ec::conflict, "other lists were in force for this event", {}};
  const auto kept = std::find_if(parts.begin(), parts.end(), [](const risk_part& p) { return p.source == "rules"; });
  const auto model = model_risk(stored.risk);
  const subject s(stored, data);
  std::deque<std::string> texts;
  auto values = read_inputs(set, s, row, model, [](const input&) { return value{}; });
  if (auto ok = restore_inputs(set, s, kept->detail, texts, values); !ok)
    return ok.err();
  return decide(set, values, s, lists, model, policy);
}

} // namespace pulse::rules
