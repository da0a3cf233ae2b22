#include "models/rules/backtest.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::rules {

namespace {

/// The 97.5 % quantile of the normal distribution.
constexpr double z = 1.959963984540054;

std::int64_t sum(const bag (&bags)[3]) {
  return bags[0].events + bags[1].events + bags[2].events;
}

std::int64_t stopped(const bag (&bags)[3]) {
  return bags[1].events + bags[2].events;
}

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0)
    return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

} // namespace

void bag::add(const event& e) {
  ++events;
  if (e.amount)
    minor[e.amount->unit.str()] += e.amount->minor;
}

interval wilson(std::int64_t hits, std::int64_t n) {
  if (n <= 0)
    return {};
  const auto count = static_cast<double>(n);
  const auto p = static_cast<double>(hits) / count;
  const auto centre = (p + z * z / (2 * count)) / (1 + z * z / count);
  const auto half = z / (1 + z * z / count) * std::sqrt(p * (1 - p) / count + z * z / (4 * count * count));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

std::optional<double> rule_report::precision() const {
  return share(fraud.events, fraud.events + legitimate.events);
}

interval rule_report::precision_interval() const {
  return wilson(fraud.events, fraud.events + legitimate.events);
}

std::int64_t backtest_report::labelled() const {
  return sum(fraud) + sum(legitimate);
}

std::optional<double> backtest_report::recall() const {
  return share(stopped(fraud), sum(fraud));
}

std::optional<double> backtest_report::precision() const {
  return share(stopped(fraud), stopped(fraud) + stopped(legitimate));
}

std::optional<double> backtest_report::false_alarm_rate() const {
  return share(stopped(legitimate), sum(legitimate));
}

backtest::backtest(options o) : options_(std::move(o)), scorer_({{}, options_.policy}), engine_(options_.data) {
  engine_.set_rules(options_.rules);
  engine_.set_lists(options_.lists);
  for (const auto& r : options_.rules->rules()) {
    rule_report report;
    report.name = r.name;
    report.state = r.state;
    report.broken = r.broken;
    report_.rules.push_back(std::move(report));
  }
}

result<backtest> backtest::make(options o) {
  backtest out(std::move(o));
  if (auto ok = out.scorer_.set_model(out.options_.model, out.options_.pooled); !ok)
    return ok.err();
  return out;
}

void backtest::warm_up(event e) {
  const auto at = next_;
  ++next_.value;
  scorer_.seen_before(e, at);
  scorer_.replay(e, at);
  engine_.replay(e, at);
}

void backtest::add(event e, std::optional<bool> fraud) {
  const auto at = next_;
  ++next_.value;
  scorer_.seen_before(e, at);
  const auto row = scorer_.score(e, at);
  settle(e, engine_.apply(e, row, options_.policy, at), fraud);
}

void backtest::add_scored(event e, std::optional<bool> fraud) {
  const auto at = next_;
  ++next_.value;
  scorer_.seen_before(e, at);
  auto said = model_risk(e.risk);
  const auto row = scorer_.score(e, at);
  e.risk = std::move(said);
  settle(e, engine_.apply(e, row, options_.policy, at), fraud);
}

std::optional<decision> backtest::add_stored(event e, const features::row& row, std::optional<bool> fraud) {
  const auto at = next_;
  ++next_.value;
  scorer_.seen_before(e, at);
  e.risk = model_risk(e.risk);
  auto d = engine_.apply(e, row, options_.policy, at);
  settle(e, d, fraud);
  return e.test || e.duplicate ? std::nullopt : d;
}

void backtest::settle(const event& e, const std::optional<decision>& d, std::optional<bool> fraud) {
  report_.duplicates += !e.test && e.duplicate ? 1 : 0;
  if (!e.test && !e.duplicate && d)
    count(e, *d, fraud);
}

void backtest::count(const event& e, const decision& d, std::optional<bool> fraud) {
  const auto outcome = static_cast<std::size_t>(d.outcome);
  report_.events.add(e);
  (!fraud ? report_.unlabelled : *fraud ? report_.fraud : report_.legitimate)[outcome].add(e);
  if (d.shadow_outcome != d.outcome)
    ++report_.shadow_changes[outcome][static_cast<std::size_t>(d.shadow_outcome)];
  count_rules(e, d, fraud);
}

void backtest::count_rules(const event& e, const decision& d, std::optional<bool> fraud) {
  const auto hits = std::count_if(d.results.begin(), d.results.end(), [](const rule_result& r) { return r.hit; });
  for (const auto& r : d.results) {
    auto& report = report_.rules[r.rule];
    report.unknown += r.unknown_inputs.empty() && r.unknown_lists.empty() ? 0 : 1;
    if (!r.hit)
      continue;
    report.hits.add(e);
    report.snoozed += r.snoozed ? 1 : 0;
    ++report.by_outcome[static_cast<std::size_t>(d.outcome)];
    if (!fraud)
      ++report.unlabelled;
    else
      (*fraud ? report.fraud : report.legitimate).add(e);
    report.only_this += fraud == true && hits == 1 ? 1 : 0;
  }
}

} // namespace pulse::rules
