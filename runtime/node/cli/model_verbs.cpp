// See model_verbs.hpp.
#include "node/cli/model_verbs.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "models/detection/score_table.hpp"
#include "node/cli/verb_io.hpp"

namespace pulse {

namespace {

using detection::model_kind;

constexpr std::size_t threads_max = 8;

struct fit_arguments {
  std::string input;
  std::string output;
  std::string kind = "bundle";
  detection::fit_options options;
  std::string label_column;
  std::vector<std::string> category_columns;
  bool json = false;
};

struct score_arguments {
  std::string model;
  std::string input;
  std::string label_column;
  std::size_t reasons = 0;
  bool json = false;
};

/// Runs the bodies on all cores; which thread takes which never shows in the model.
void on_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  const auto cores = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, threads_max);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (auto i = next++; i < count; i = next++)
      body(i);
  };
  std::vector<std::thread> team;
  for (std::size_t t = 1; t < std::min(cores, count); ++t)
    team.emplace_back(work);
  work();
  for (auto& t : team)
    t.join();
}

bool has_column(const std::string& path, const std::string& text, const std::string& name) {
  csv::record_reader header(text);
  std::vector<std::string> fields;
  if (const auto more = header.next(fields); !more || !*more)
    cli::fail(fmt::format("{}: no header line", path));
  return std::find(fields.begin(), fields.end(), name) != fields.end();
}

void fit_model(const fit_arguments& a) {
  const auto started = std::chrono::steady_clock::now();
  const auto text = cli::read_input(a.input);
  if (!a.label_column.empty() && !has_column(a.input, text, a.label_column))
    cli::fail(fmt::format("{}: there is no column {}", a.input, csv::quote(a.label_column)));
  std::vector<csv::word_column> words;
  for (const auto& name : a.category_columns)
    words.push_back({name, {}});
  auto table = csv::read_numbers(
      text, [&](auto name) { return name != a.label_column; }, words);
  if (!table)
    cli::fail(fmt::format("{}: {}{}", a.input, table.err().detail,
                          table.err().detail.ends_with("is no number")
                              ? "\n  next: a column of words is named by --category-column"
                              : ""));
  auto options = a.options;
  for (std::size_t j = 0; j < table->columns.size(); ++j)
    for (auto& w : words)
      if (w.name == table->columns[j] && !w.levels.empty())
        options.categories.push_back({j, w.levels});
  options.kind = a.kind == "forest" ? model_kind::forest : model_kind::bundle;
  const std::size_t trees = options.n_estimators * (options.kind == model_kind::bundle ? 4u : 1u);
  auto fitted = [&] {
    cli::progress bar("fitting", trees);
    options.for_each = on_threads;
    options.tree_done = [&bar] {
      bar.advance();
    };
    return detection::fit({table->values, table->rows, table->columns.size()}, table->columns, options);
  }();
  if (!fitted)
    cli::fail(fmt::format("{}: {}", a.input, fitted.err().detail));
  const auto bytes = fitted->save();
  cli::write_output(a.output, bytes);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
  if (a.json) {
    const nlohmann::ordered_json out{{"model", fitted->id()},
                                     {"output", a.output},
                                     {"kind", a.kind},
                                     {"rows", table->rows},
                                     {"features", table->columns},
                                     {"categories", a.category_columns},
                                     {"n_estimators", options.n_estimators},
                                     {"max_samples", options.max_samples},
                                     {"random_state", options.random_state},
                                     {"base", fitted->base()},
                                     {"bytes", bytes.size()},
                                     {"seconds", seconds.count()}};
    return cli::print(out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  cli::print(fmt::format("model {}: {} of {} rows and {} features, {} bytes in {} ({:.2f} s)\n", fitted->id(), a.kind,
                         table->rows, table->columns.size(), bytes.size(), a.output, seconds.count()));
}

nlohmann::ordered_json score_json(const detection::model& m, std::size_t row, std::span<const double> features,
                                  std::size_t reasons) {
  const auto s = m.score(features);
  nlohmann::ordered_json out{{"row", row}, {"score", s.raw}, {"risk", s.risk}};
  if (reasons > 0) {
    auto& list = out["reasons"] = nlohmann::ordered_json::array();
    for (const auto& c : m.explain(features)) {
      if (list.size() == reasons)
        break;
      list.push_back({{"name", m.features()[c.feature]}, {"contribution", c.total()}});
    }
  }
  return out;
}

void score_rows(const score_arguments& a) {
  auto loaded = detection::model::load(cli::read_input(a.model));
  if (!loaded)
    cli::fail(fmt::format("{}: {}", a.model, loaded.err().detail));
  const auto& names = loaded->features();
  const auto is_feature = [&](auto name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<csv::word_column> words;
  for (std::size_t j = 0; j < names.size(); ++j)
    if (const auto* levels = loaded->levels(j))
      words.push_back({names[j], *levels, true});
  const auto table = csv::read_numbers(cli::read_input(a.input), is_feature, words);
  if (!table)
    cli::fail(fmt::format("{}: {}", a.input, table.err().detail));
  auto columns = detection::match_columns(*loaded, *table);
  if (!columns)
    cli::fail(fmt::format("{}: {}", a.input, columns.err().detail));
  nlohmann::ordered_json document{
      {"model", loaded->id()}, {"base", loaded->base()}, {"rows", nlohmann::ordered_json::array()}};
  auto text = a.json ? std::string{} : detection::score_header(a.reasons);
  cli::progress bar("scoring", table->rows);
  for (std::size_t i = 0; i < table->rows; ++i, bar.advance()) {
    const auto row = detection::pick_row(*table, *columns, i);
    if (a.json)
      document["rows"].push_back(score_json(*loaded, i, row, a.reasons));
    else
      text += detection::score_line(*loaded, i, row, a.reasons);
    if (text.size() > (1u << 20)) {
      cli::print(text);
      text.clear();
    }
  }
  if (a.reasons > 0 && !a.json)
    fmt::print(stderr, "log2(score) = {} + the contributions of all {} features\n", loaded->base(), names.size());
  if (a.json)
    text = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  cli::print(text);
}

void add_fit(CLI::App& model_command) {
  const auto a = std::make_shared<fit_arguments>();
  auto* fit = model_command.add_subcommand("fit", "fit a detector on the rows of a CSV with a header");
  fit->add_option("--input", a->input, "CSV file, - for standard input")->required();
  fit->add_option("--output", a->output, "file the model is written to")->required();
  fit->add_option("--kind", a->kind,
                  "bundle (default): four unlike forests and the distance outside the training "
                  "range; forest: the plain isolation forest")
      ->check(CLI::IsMember({"bundle", "forest"}));
  fit->add_option("--n-estimators", a->options.n_estimators, "trees of each forest")
      ->check(CLI::Range(1u, 10'000u))
      ->capture_default_str();
  fit->add_option("--max-samples", a->options.max_samples, "rows a tree is grown from")
      ->check(CLI::Range(2u, 65'536u))
      ->capture_default_str();
  fit->add_option("--random-state", a->options.random_state, "seed; the same seed gives the same bytes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  fit->add_option("--label-column", a->label_column, "column that is never a feature");
  fit->add_option("--category-column", a->category_columns, "column of words (countries, kinds); once for each");
  fit->add_flag("--json", a->json, "one JSON document on standard output");
  fit->footer("Example:\n  pulse model fit --input payments.csv --output payments.model --label-column is_fraud");
  fit->callback([a] { fit_model(*a); });
}

void add_score(CLI::App& model_command) {
  const auto a = std::make_shared<score_arguments>();
  auto* score = model_command.add_subcommand("score", "score the rows of a CSV: row,score,risk as CSV");
  score->add_option("--model", a->model, "file that `model fit` wrote")->required();
  score->add_option("--input", a->input, "CSV file, - for standard input")->required();
  score->add_option("--label-column", a->label_column,
                    "accepted for symmetry with fit: columns that are no feature are never looked at");
  score->add_option("--reasons", a->reasons, "reasons a row: columns reason_k,contribution_k in log2 of the score")
      ->check(CLI::Range(0u, 1'000u))
      ->capture_default_str();
  score->add_flag("--json", a->json, "one JSON document on standard output");
  score->footer("Example:\n  pulse model score --model payments.model --input payments.csv --label-column is_fraud "
                "--reasons 3 > scored.csv");
  score->callback([a] { score_rows(*a); });
}

} // namespace

void add_model_verbs(CLI::App& model_command) {
  add_fit(model_command);
  add_score(model_command);
}

} // namespace pulse
