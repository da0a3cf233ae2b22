// backtest: rules over a file of events, with the code that runs live. No node is needed.
#include <chrono>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/time.hpp"
#include "models/event/request_parser.hpp"
#include "models/event/standardise.hpp"
#include "models/rules/backtest.hpp"
#include "node/cli/verb_io.hpp"
#include "node/cli/verbs.hpp"

namespace pulse::cli {

namespace {

using ordered = nlohmann::ordered_json;

struct backtest_options {
  std::string input;
  std::string rules;
  std::string lists;
  std::string model;
  std::string label;
  bool as_json = false;
};

constexpr std::string_view outcomes[] = {"approve", "review", "decline"};

[[noreturn]] void refuse(const std::string& path, const std::vector<rules::problem>& problems) {
  std::string all;
  for (const auto& p : problems)
    all += fmt::format("\n  {}: {}", p.pointer, p.detail);
  fail(fmt::format("{} has {} problem(s):{}", path, problems.size(), all));
}

/// Ids of events that bring none count up: the same file gives the same report.
class counting_ids final : public random_source {
public:
  void fill(std::span<std::uint8_t> bytes) override {
    ++next_;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(next_ >> (8 * (i % 8)));
  }

private:
  std::uint64_t next_ = 0;
};

/// One event of a line, as the door and the slot read it; nothing for one that is refused.
std::optional<event> read_line(std::string line, random_source& ids, time_ms now) {
  request_context context;
  context.tenant = tenant_id{1};
  context.received_at = now;
  context.horizon = time_ms{0};
  context.random = &ids;
  auto parsed = parse_request(line, request_shape::events, context);
  if (!parsed || parsed->events.size() != 1 || parsed->events[0].raw.kind != raw_kind::event)
    return std::nullopt;
  auto e = to_event(parsed->events[0].raw, tenant_id{1});
  if (!e)
    return std::nullopt;
  // A file is read long after: its events were received when they happened.
  e->received_at = e->occurred_at;
  return std::move(*e);
}

rules::backtest::options read_options(const backtest_options& o) {
  rules::backtest::options out;
  const auto text = read_input(o.rules);
  if (const auto problems = rules::check_rules(text); !problems.empty())
    refuse(o.rules, problems);
  out.rules = *rules::rule_set::compile(text);
  if (!o.lists.empty()) {
    const auto lists = read_input(o.lists);
    if (const auto problems = rules::check_lists(lists); !problems.empty())
      refuse(o.lists, problems);
    out.lists = *rules::compiled_lists::compile(lists);
  }
  if (!o.model.empty()) {
    auto model = detection::model::load(read_input(o.model));
    if (!model)
      fail(fmt::format("{}: {}", o.model, model.err().detail));
    out.model = std::make_shared<const detection::model>(std::move(*model));
  }
  return out;
}

std::optional<bool> label_of(const event& e, const std::optional<rules::input>& label) {
  if (!label)
    return std::nullopt;
  const auto v = rules::subject(e, {}).read(*label);
  if (v.kind == rules::value_kind::text && (v.text == "0" || v.text == "1"))
    return v.text == "1";
  if (v.kind == rules::value_kind::boolean || v.kind == rules::value_kind::number)
    return v.number != 0;
  return std::nullopt;
}

ordered share(std::optional<double> x) {
  return x ? ordered(*x) : ordered(nullptr);
}

ordered money_of(const rules::bag& b) {
  auto out = ordered::array();
  for (const auto& [unit, minor] : b.minor) {
    const auto c = parse_currency(unit).value_or(currency{});
    out.push_back({{"amount", money{minor, c}.amount()}, {"currency", unit}});
  }
  return out;
}

ordered to_json(const rules::rule_report& r) {
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

ordered to_json(const rules::backtest_report& r, std::int64_t refused, double seconds) {
  ordered out{{"events", r.events.events}, {"refused", refused}, {"seconds", seconds}, {"outcomes", ordered::object()}};
  for (std::size_t i = 0; i < 3; ++i)
    out["outcomes"][std::string(outcomes[i])] = {{"fraud", r.fraud[i].events},
                                                 {"fraud_money", money_of(r.fraud[i])},
                                                 {"legitimate", r.legitimate[i].events},
                                                 {"legitimate_money", money_of(r.legitimate[i])},
                                                 {"unlabelled", r.unlabelled[i].events}};
  out["recall"] = share(r.recall());
  out["precision"] = share(r.precision());
  out["false_alarm_rate"] = share(r.false_alarm_rate());
  out["rules"] = ordered::array();
  for (const auto& rule : r.rules)
    out["rules"].push_back(to_json(rule));
  return out;
}

std::string percent(const ordered& x) {
  return x.is_null() ? "-" : fmt::format("{:.1f} %", 100 * x.get<double>());
}

std::string as_text(const ordered& report) {
  auto out = fmt::format("{} events in {:.2f} s, {} refused\n\n{:<10}{:>10}{:>12}{:>12}\n", report["events"].dump(),
                         report["seconds"].get<double>(), report["refused"].dump(), "outcome", "fraud", "legitimate",
                         "unlabelled");
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

void run_backtest(const backtest_options& o) {
  auto test = rules::backtest::make(read_options(o));
  if (!test)
    fail(test.err().detail);
  const auto label = o.label.empty() ? std::nullopt : rules::find_input(o.label);
  if (!o.label.empty() && !label)
    fail(fmt::format("--label {}: a field of the event is wanted, such as properties.fraud", o.label));
  const auto text = read_input(o.input);
  counting_ids ids;
  const auto now = system_clock().now();
  std::int64_t refused = 0;
  progress bar("backtest", text.size());
  const auto started = std::chrono::steady_clock::now();
  for (std::size_t from = 0; from < text.size();) {
    const auto stop = std::min(text.find('\n', from), text.size());
    const auto line = text.substr(from, stop - from);
    bar.advance(stop + 1 - from);
    from = stop + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    auto e = read_line(line, ids, now);
    if (!e) {
      ++refused;
      continue;
    }
    const auto fraud = label_of(*e, label);
    test->add(std::move(*e), fraud);
  }
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const auto report = to_json(test->report(), refused, seconds);
  print(o.as_json ? report.dump(-1, ' ', false, ordered::error_handler_t::replace) + "\n" : as_text(report));
}

} // namespace

void add_backtest_verb(CLI::App& program) {
  const auto o = std::make_shared<backtest_options>();
  auto* command = program.add_subcommand("backtest", "run rules over a file of events with the code that runs live");
  command
      ->add_option("--input", o->input, "events, one JSON object a line, in the order of the log; - for standard input")
      ->required();
  command->add_option("--rules", o->rules, "document of rules (JSON)")->required();
  command->add_option("--lists", o->lists, "document of lists (JSON)");
  command->add_option("--model", o->model, "model file; without one the rules decide alone");
  command->add_option("--label", o->label, "field that is true (or 1) for a fraud, such as properties.fraud");
  command->add_flag("--json", o->as_json, "one JSON document on standard output");
  command->footer("example: pulse backtest --rules rules.json --input events.ndjson --label properties.fraud");
  command->callback([o] { run_backtest(*o); });
}

} // namespace pulse::cli
