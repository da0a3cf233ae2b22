#include "node/cli/backtest_report.hpp"

#include <fmt/format.h>

namespace pulse::cli {

namespace {

constexpr std::string_view outcomes[] = {"approve", "review", "decline"};

json share(std::optional<double> x) {
  return x ? json(*x) : json(nullptr);
}

json money_of(const rules::bag& b) {
  auto out = json::array();
  for (const auto& [unit, minor] : b.minor) {
    const auto c = parse_currency(unit).value_or(currency{});
    out.push_back({{"amount", money{minor, c}.amount()}, {"currency", unit}});
  }
  return out;
}

json rule_json(const rules::rule_report& r) {
  const auto range = r.precision_interval();
  return {{"name", r.name},
          {"state", rules::to_string(r.state)},
          {"hits", r.hits.events},
          {"money", money_of(r.hits)},
          {"fraud", r.fraud.events},
          {"legitimate", r.legitimate.events},
          {"unlabelled", r.unlabelled},
          {"only_this", r.only_this},
          {"snoozed", r.snoozed},
          {"not_known", r.unknown},
          {"precision", share(r.precision())},
          {"precision_interval", {range.low, range.high}}};
}

} // namespace

void backtest_run::refuse(std::size_t line, std::string reason) {
  if (++refused <= static_cast<std::int64_t>(refused_named_max))
    refused_lines.push_back({line, std::move(reason)});
}

json backtest_json(const rules::backtest_report& r, const backtest_run& run) {
  json out{{"events", r.events.events},
           {"duplicates", r.duplicates},
           {"refused", run.refused},
           {"labelled", r.labelled()},
           {"lists", run.lists.empty() ? json(nullptr) : json(run.lists)},
           {"seconds", run.seconds},
           {"outcomes", json::object()}};
  for (std::size_t i = 0; i < 3; ++i)
    out["outcomes"][std::string(outcomes[i])] = {{"fraud", r.fraud[i].events},
                                                 {"fraud_money", money_of(r.fraud[i])},
                                                 {"legitimate", r.legitimate[i].events},
                                                 {"legitimate_money", money_of(r.legitimate[i])},
                                                 {"unlabelled", r.unlabelled[i].events}};
  out["recall"] = share(r.recall());
  out["precision"] = share(r.precision());
  out["false_alarm_rate"] = share(r.false_alarm_rate());
  out["rules"] = json::array();
  for (const auto& rule : r.rules)
    out["rules"].push_back(rule_json(rule));
  out["refused_lines"] = json::array();
  for (const auto& l : run.refused_lines)
    out["refused_lines"].push_back({{"line", l.line}, {"reason", l.reason}});
  return out;
}

namespace {

std::string percent(const json& x) {
  return x.is_null() ? "-" : fmt::format("{:.1f} %", 100 * x.get<double>());
}

} // namespace

std::string backtest_text(const json& report) {
  auto out = fmt::format("{} events in {:.2f} s, {} duplicates, {} refused\n\n{:<10}{:>10}{:>12}{:>12}\n",
                         report["events"].dump(), report["seconds"].get<double>(), report["duplicates"].dump(),
                         report["refused"].dump(), "outcome", "fraud", "legitimate", "unlabelled");
  for (const auto& [name, o] : report["outcomes"].items())
    out += fmt::format("{:<10}{:>10}{:>12}{:>12}\n", name, o["fraud"].dump(), o["legitimate"].dump(),
                       o["unlabelled"].dump());
  out += fmt::format("\nrecall {}, precision {}, false alarms {}\n\n{:<32}{:<8}{:>8}{:>8}{:>11}  {}\n",
                     percent(report["recall"]), percent(report["precision"]), percent(report["false_alarm_rate"]),
                     "rule", "state", "hits", "fraud", "only this", "precision (95 %)");
  for (const auto& r : report["rules"])
    out += fmt::format("{:<32}{:<8}{:>8}{:>8}{:>11}  {} ({:.1f}-{:.1f})\n", r["name"].get<std::string>(),
                       r["state"].get<std::string>(), r["hits"].dump(), r["fraud"].dump(), r["only_this"].dump(),
                       percent(r["precision"]), 100 * r["precision_interval"][0].get<double>(),
                       100 * r["precision_interval"][1].get<double>());
  return out;
}

} // namespace pulse::cli
