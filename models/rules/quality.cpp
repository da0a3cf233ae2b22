#include "models/rules/quality.hpp"

#include <set>

namespace pulse::rules {

std::optional<double> label_counts::precision() const {
  if (total() == 0)
    return std::nullopt;
  return static_cast<double>(fraud) / static_cast<double>(total());
}

void quality::add(bool fraud, const std::string& outcome, const std::string& model,
                  const std::vector<risk_part>& parts) {
  all_.add(fraud);
  outcomes_[outcome].add(fraud);
  models_[model].all.add(fraud);
  if (outcome != "approve")
    models_[model].stopped.add(fraud);
  std::set<std::pair<std::string, std::string>> hits;
  for (const auto& p : parts)
    if (p.source == "shadow" || (p.source == "rule" && p.name != "limit"))
      hits.emplace(p.source, p.name);
  for (const auto& hit : hits)
    rules_[hit].add(fraud);
}

label_counts quality::stopped() const {
  label_counts out;
  for (const auto& [outcome, counts] : outcomes_) {
    if (outcome == "approve")
      continue;
    out.fraud += counts.fraud;
    out.legitimate += counts.legitimate;
  }
  return out;
}

std::optional<double> quality::recall(const label_counts& hits) const {
  if (all_.fraud == 0)
    return std::nullopt;
  return static_cast<double>(hits.fraud) / static_cast<double>(all_.fraud);
}

} // namespace pulse::rules
