// See series_verbs.hpp.
#include "node/cli/series_verbs.hpp"

#include <cmath>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "models/csv/table.hpp"
#include "models/series/detector.hpp"
#include "models/series/forecast.hpp"
#include "models/series/series.hpp"
#include "node/cli/verb_io.hpp"

namespace pulse {

namespace {

struct detect_arguments {
  std::string input;
  std::string granularity;
  std::string detector = "ensemble";
  double sensitivity = 1;
  std::size_t budget = 0;
  bool json = false;
};

struct forecast_arguments {
  std::string input;
  std::string granularity;
  std::size_t horizon = 0;
  double level = 0.9;
  bool json = false;
};

std::vector<series::point> read_series(const std::string& path) {
  auto points = series::read_points(cli::read_input(path));
  if (!points)
    cli::fail(fmt::format("{}: {}", path, points.err().detail));
  return std::move(*points);
}

std::string dump(const nlohmann::ordered_json& document) {
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void detect(const detect_arguments& a) {
  const auto points = read_series(a.input);
  series::detector detector({.step_ms = series::parse_duration(a.granularity).value_or(0),
                             .name = a.detector,
                             .sensitivity = a.sensitivity,
                             .alarms_per_week = a.budget});
  nlohmann::ordered_json document{{"points", nlohmann::ordered_json::array()}};
  std::string text = "timestamp,value,expected,lower,upper,score,anomaly\n";
  cli::progress bar("detecting", points.size());
  for (const auto& p : points) {
    const auto v = detector.next(p.at, p.value);
    bar.advance();
    if (a.json)
      document["points"].push_back({{"timestamp", p.text},
                                    {"value", p.value},
                                    {"expected", v.expected},
                                    {"lower", v.lower},
                                    {"upper", v.upper},
                                    {"score", v.score},
                                    {"anomaly", v.anomaly}});
    else
      text += fmt::format("{},{},{},{},{},{},{}\n", csv::quote(p.text), csv::number(p.value), csv::number(v.expected),
                          csv::number(v.lower), csv::number(v.upper), csv::number(v.score), v.anomaly ? 1 : 0);
  }
  cli::print(a.json ? dump(document) : text);
}

void forecast(const forecast_arguments& a) {
  const auto points = read_series(a.input);
  for (std::size_t i = 1; i < points.size(); ++i)
    if (points[i].at == points[i - 1].at)
      cli::fail(fmt::format("{}: {} stands twice; a forecast needs one value for each time", a.input, points[i].text));
  const auto f = series::predict(points, a.horizon,
                                 {.level = a.level, .step_ms = series::parse_duration(a.granularity).value_or(0)});
  if (!f)
    cli::fail(fmt::format("{}: {}", a.input, f.err().detail));
  nlohmann::ordered_json document{
      {"method", f->method}, {"level", a.level}, {"points", nlohmann::ordered_json::array()}};
  std::string text = "timestamp,expected,lower,upper\n";
  for (const auto& p : f->points) {
    const auto at = series::format_like(p.at, points.back().text);
    if (a.json)
      document["points"].push_back(
          {{"timestamp", at}, {"expected", p.expected}, {"lower", p.lower}, {"upper", p.upper}});
    else
      text += fmt::format("{},{},{},{}\n", at, csv::number(p.expected), csv::number(p.lower), csv::number(p.upper));
  }
  cli::print(a.json ? dump(document) : text);
}

std::string check_duration(const std::string& text) {
  return series::parse_duration(text) ? std::string{} : text + " is no duration such as 30s, 5m, 1h, 1d";
}

/// Unlike CLI::Range it takes no `nan`.
CLI::Validator within(double low, double high) {
  return {[low, high](const std::string& text) {
            const auto x = csv::parse_number(text);
            return x && *x >= low && *x <= high ? std::string{}
                                                : fmt::format("{} is no number from {} to {}", text, low, high);
          },
          fmt::format("FLOAT in [{} - {}]", low, high)};
}

std::string check_detector(const std::string& name) {
  const auto known = series::detector::check(name);
  return known ? std::string{} : known.err().detail;
}

} // namespace

void add_series_verbs(CLI::App& series_command) {
  const auto d = std::make_shared<detect_arguments>();
  auto* detecting = series_command.add_subcommand("detect", "find odd points of a metric, in one pass, no look-ahead");
  detecting->add_option("--input", d->input, "CSV file with timestamp,value; - for standard input")->required();
  detecting->add_option("--granularity", d->granularity, "distance of points (5m, 1h, 1d); taken from the first two")
      ->check(CLI::Validator(check_duration, "DURATION"));
  detecting
      ->add_option("--detector", d->detector, "ensemble, or one view alone: residual, mad, z, iqr, count, forest, ...")
      ->check(CLI::Validator(check_detector, "NAME"))
      ->capture_default_str();
  detecting->add_option("--sensitivity", d->sensitivity, "above 1 alarms sooner, below 1 later")
      ->check(within(0.1, 10.0))
      ->capture_default_str();
  detecting->add_option("--budget", d->budget, "at most so many alarms in any seven days; 0: no limit")
      ->check(CLI::Range(std::size_t{0}, std::size_t{10'000}))
      ->capture_default_str();
  detecting->add_flag("--json", d->json, "one JSON document on standard output");
  detecting->footer("Example:\n  pulse series detect --input orders.csv --granularity 5m > judged.csv");
  detecting->callback([d] { detect(*d); });

  const auto f = std::make_shared<forecast_arguments>();
  auto* forecasting = series_command.add_subcommand("forecast", "expected values of a metric, with an interval");
  forecasting->add_option("--input", f->input, "CSV file with timestamp,value; - for standard input")->required();
  forecasting->add_option("--horizon", f->horizon, "number of points ahead")
      ->required()
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}));
  forecasting
      ->add_option("--granularity", f->granularity, "distance of points (5m, 1h, 1d); taken from the most frequent one")
      ->check(CLI::Validator(check_duration, "DURATION"));
  forecasting->add_option("--level", f->level, "share of future points the interval should hold")
      ->check(within(0.01, 0.999))
      ->capture_default_str();
  forecasting->add_flag("--json", f->json, "one JSON document on standard output");
  forecasting->footer("Example:\n  pulse series forecast --input revenue.csv --horizon 14 --level 0.9");
  forecasting->callback([f] { forecast(*f); });
}

} // namespace pulse
