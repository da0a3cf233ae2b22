#include "models/rules/engine.hpp"

namespace pulse::rules {

engine::engine(enrichment_data data, window_limits limits) : data_(std::move(data)), windows_(limits) {
}

void engine::set_rules(std::shared_ptr<const rule_set> rules) {
  rules_ = std::move(rules);
  windows_.keep_only(rules_ ? std::span<const input>(rules_->inputs()) : std::span<const input>());
}

void engine::set_lists(std::shared_ptr<const compiled_lists> lists) {
  lists_ = std::move(lists);
}

decision engine::decide_on(const subject& s, const event& e, const features::row& row,
                           const scoring::risk_policy& policy) const {
  const auto values = read_inputs(*rules_, s, row, e.risk, [&](const input& i) { return windows_.ask(i, s); });
  return decide(*rules_, values, s, lists_.get(), e.risk, policy);
}

void engine::fold(const subject& s, log_offset at) {
  if (!s.of().test && !s.of().duplicate && at > folded_to_)
    windows_.fold(s, at);
}

std::optional<decision> engine::apply(event& e, const features::row& row, const scoring::risk_policy& policy,
                                      log_offset at) {
  if (!rules_)
    return std::nullopt;
  const subject s(e, data_);
  auto out = decide_on(s, e, row, policy);
  fold(s, at);
  e.risk = out.risk;
  return out;
}

void engine::replay(const event& e, log_offset at) {
  if (rules_)
    fold(subject(e, data_), at);
}

std::optional<decision> engine::preview(const event& e, const features::row& row,
                                        const scoring::risk_policy& policy) const {
  if (!rules_)
    return std::nullopt;
  return decide_on(subject(e, data_), e, row, policy);
}

result<void> engine::load(const window_image& image) {
  set_folded_to(image.as_of);
  return windows_.load(image);
}

} // namespace pulse::rules
