// backtest: rules over a file of events, for which no node is needed, or over what a node stored of a tenant; with the
// code that runs live.
#include <algorithm>
#include <chrono>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>
#include <unistd.h>

#include "models/rules/backtest.hpp"
#include "node/cli/backtest_events.hpp"
#include "node/cli/backtest_report.hpp"
#include "node/cli/verb_io.hpp"
#include "node/cli/verbs.hpp"

namespace pulse::cli {

namespace {

struct backtest_options : one_tenant_options {
  std::string input;
  std::string from;
  std::string to;
  std::string rules;
  std::string lists;
  std::string model;
  std::string label;
};

[[noreturn]] void refuse(const std::string& path, const std::vector<rules::problem>& problems) {
  std::string all;
  for (const auto& p : problems)
    all += fmt::format("\n  {}: {}", p.pointer, p.detail);
  fail(fmt::format("{} has {} problem(s):{}", path, problems.size(), all));
}

std::shared_ptr<const rules::compiled_lists> compile_lists(const std::string& text, const std::string& from) {
  if (const auto problems = rules::check_lists(text); !problems.empty())
    refuse(from, problems);
  return *rules::compiled_lists::compile(text);
}

/// The tenant's lists in force; null for none.
std::shared_ptr<const rules::compiled_lists> lists_in_force(const backtest_options& o, const std::string& tenant) {
  const auto all = ask(o, "GET", tenant + "/lists");
  for (const auto& v : all.at("data"))
    if (v.value("state", "") == "live") {
      const auto one = ask(o, "GET", tenant + "/lists/" + v.value("id", ""));
      return compile_lists(one.at("document").dump(), "the lists in force");
    }
  return nullptr;
}

rules::backtest::options read_options(const backtest_options& o, const std::string& tenant) {
  rules::backtest::options out;
  const auto text = read_input(o.rules);
  if (const auto problems = rules::check_rules(text); !problems.empty())
    refuse(o.rules, problems);
  out.rules = *rules::rule_set::compile(text);
  if (!o.lists.empty())
    out.lists = compile_lists(read_input(o.lists), o.lists);
  else if (!tenant.empty())
    out.lists = lists_in_force(o, tenant);
  if (!o.model.empty()) {
    auto model = detection::model::load(read_input(o.model));
    if (!model)
      fail(fmt::format("{}: {}", o.model, model.err().detail));
    out.model = std::make_shared<const detection::model>(std::move(*model));
  }
  return out;
}

std::optional<bool> label_of(const event& e, const rules::input& label) {
  const auto v = rules::subject(e, {}).read(label);
  if (v.kind == rules::value_kind::text && (v.text == "0" || v.text == "1"))
    return v.text == "1";
  if (v.kind == rules::value_kind::boolean || v.kind == rules::value_kind::number)
    return v.number != 0;
  return std::nullopt;
}

/// How far back lies what rules and the model look at.
std::int64_t history_ms(const rules::backtest::options& o) {
  std::int64_t out = o.model ? rules::window_max_ms : 0;
  for (const auto& i : o.rules->inputs())
    out = std::max(out, i.kind == rules::input_kind::feature ? rules::window_max_ms : i.width_ms);
  return out;
}

void run_file(const backtest_options& o, const std::optional<rules::input>& label, rules::backtest& test,
              backtest_run& run) {
  const auto text = read_input(o.input);
  counting_ids ids;
  const auto now = system_clock().now();
  progress bar("backtest", text.size());
  std::size_t number = 0;
  for (std::size_t from = 0; from < text.size();) {
    const auto stop = std::min(text.find('\n', from), text.size());
    auto line = text.substr(from, stop - from);
    bar.advance(stop + 1 - from);
    from = stop + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    auto e = event_of_line(std::move(line), ids, now);
    if (!e) {
      run.refuse(number, e.err().detail);
      continue;
    }
    const auto fraud = label ? label_of(*e, *label) : std::nullopt;
    test.add(std::move(*e), fraud);
  }
}

/// Page by page, the oldest event first. Those before --from, as far back as windows reach, only make a history.
void run_tenant(const backtest_options& o, const std::string& tenant, const std::optional<rules::input>& label,
                std::int64_t history, rules::backtest& test) {
  const auto from = parse_time(o.from).value_or(time_ms{});
  auto question = tenant + "/events?sort=time&limit=1000";
  if (!o.from.empty())
    question += "&from=" + format_time({std::max<std::int64_t>(0, from.value - history)});
  if (!o.to.empty())
    question += "&to=" + format_time(*parse_time(o.to));
  const bool terminal = ::isatty(2) != 0;
  std::size_t seen = 0;
  for (std::string cursor; seen == 0 || !cursor.empty();) {
    const auto page = ask(o, "GET", question + (cursor.empty() ? "" : "&cursor=" + cursor));
    for (const auto& stored : page.at("data")) {
      auto e = event_of_answer(stored);
      const auto fraud = label ? label_of(e, *label) : label_of_answer(stored);
      if (e.occurred_at < from)
        test.warm_up(std::move(e));
      else if (o.model.empty())
        test.add_scored(std::move(e), fraud);
      else
        test.add(std::move(e), fraud);
    }
    seen += page.at("data").size();
    if (terminal)
      fmt::print(stderr, "\r{} events read", seen);
    const auto& next = page.at("next_cursor");
    cursor = next.is_string() ? next.get<std::string>() : std::string();
    if (page.at("data").empty())
      break;
  }
  if (terminal)
    fmt::print(stderr, "\r\033[K");
}

/// What is odd about the run, on standard error.
void tell_oddities(const backtest_options& o, const rules::backtest_report& r, const backtest_run& run) {
  for (const auto& l : run.refused_lines)
    fmt::print(stderr, "line {}: refused: {}\n", l.line, l.reason);
  const auto more = run.refused - static_cast<std::int64_t>(run.refused_lines.size());
  if (more > 0)
    fmt::print(stderr, "{} more lines were refused\n", more);
  if (r.duplicates > 0)
    fmt::print(stderr, "{} events came again under the same message id and were counted once\n", r.duplicates);
  if (!o.label.empty() && r.labelled() == 0)
    fmt::print(stderr, "--label {}: no event has it as true, false, 1 or 0\n", o.label);
  else if (!o.tenant.empty() && r.labelled() == 0)
    fmt::print(stderr, "no event has a label: POST /v1/labels, or --label, says which were fraud\n");
}

void run_backtest(const backtest_options& o) {
  const auto tenant = o.tenant.empty() ? std::string() : tenant_path(o, "");
  auto options = read_options(o, tenant);
  const auto history = history_ms(options);
  backtest_run run;
  run.lists = options.lists ? options.lists->id() : std::string();
  auto test = rules::backtest::make(std::move(options));
  if (!test)
    fail(test.err().detail);
  const auto label = o.label.empty() ? std::nullopt : rules::find_input(o.label);
  if (!o.label.empty() && !label)
    fail(fmt::format("--label {}: a field of the event is wanted, such as properties.fraud", o.label));
  const auto started = std::chrono::steady_clock::now();
  if (tenant.empty())
    run_file(o, label, *test, run);
  else
    run_tenant(o, tenant, label, history, *test);
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const auto& found = test->report();
  if (found.events.events > 0)
    tell_oddities(o, found, run);
  else {
    for (const auto& l : run.refused_lines)
      fmt::print(stderr, "line {}: refused: {}\n", l.line, l.reason);
    fail(fmt::format("{}: there is no event {}", tenant.empty() ? o.input : o.tenant,
                     tenant.empty() ? "in it" : "in this range"));
  }
  const auto report = backtest_json(found, run);
  print(o.as_json ? report.dump(-1, ' ', false, json::error_handler_t::replace) + "\n" : backtest_text(report));
}

std::string check_time(const std::string& text) {
  return parse_time(text) ? std::string() : text + " is no time such as 2026-03-01 or 2026-03-01T06:00:00Z";
}

} // namespace

void add_backtest_verb(CLI::App& program) {
  const auto o = std::make_shared<backtest_options>();
  auto* command = program.add_subcommand(
      "backtest", "run rules over a file of events, or a tenant's stored events, with the code that runs live");
  auto* source = command->add_option_group("events", "one of");
  source->add_option("--input", o->input,
                     "events, one JSON object a line, in the order of the log; - for standard input");
  auto* tenant = source->add_option("--tenant", o->tenant, "stored events of this tenant, by number or name");
  source->require_option(1);
  for (auto& [name, into, help] :
       {std::tuple<std::string, std::string*, std::string>{"--from", &o->from, "stored events from this time on"},
        {"--to", &o->to, "stored events before this time"}})
    command->add_option(name, *into, help)->needs(tenant)->check(CLI::Validator(check_time, "TIME"));
  command->add_option("--rules", o->rules, "document of rules (JSON)")->required();
  command->add_option("--lists", o->lists, "document of lists (JSON); without it a tenant's lists in force");
  command->add_option("--model", o->model,
                      "model file; without one the model's part of stored events stays, and rules decide alone on a "
                      "file's");
  command->add_option("--label", o->label,
                      "field that is true (or 1) for a fraud, such as properties.fraud; without it a tenant's labels");
  command->footer("examples: pulse backtest --rules rules.json --input events.ndjson --label properties.fraud\n"
                  "          pulse backtest --rules rules.json --tenant shop --from 2026-03-01 --to 2026-04-01");
  add_common(*command, *o);
  command->callback([o] { run_backtest(*o); });
}

} // namespace pulse::cli
