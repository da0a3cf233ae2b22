// Names, types and labels of every metric, against a golden file: dashboards and alarms of operators hold on to them.
#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "telemetry/metrics.hpp"

using namespace pulse;

namespace {

void touch_everything(metrics& m) {
  m.request("/v1/events", "POST", 200, 0.01, 10);
  m.ingested(tenant_id{1}, "ok", 1);
  m.dropped("rate_limited", 1);
  m.append(0.01, 1, true);
  m.batch_stored(slot_id{0}, 0.01, 1, 1, 1);
  m.stored_after(0.1);
  m.slot_state(slot_id{0}, log_offset{1}, log_offset{2}, 1, 1);
  m.stage_cpu("scoring", 0.1);
  m.alarm("x");
  m.delivery("delivered", 0.1);
  m.trained(0.1, true);
  m.looked_for_drift(true);
  m.scored(0.001, 10);
  m.labelled(true, "decline");
  m.source_read("id", 1, 1, 1);
  m.source_failed("unreachable");
}

/// `name type {labels}`, one a line.
std::string shape_of(const std::string& text) {
  std::map<std::string, std::string> types;
  std::map<std::string, std::set<std::string>> labels;
  std::istringstream lines(text);
  const std::regex type(R"(# TYPE (\S+) (\S+))"), sample(R"(([a-z_]+?)(_bucket|_sum|_count)?(\{(.*)\})? \S+)"),
      label(R"((\w+)=")");
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, type)) {
      types[found[1]] = found[2];
    } else if (std::regex_match(line, found, sample)) {
      const auto name = types.contains(found[1]) ? found[1].str() : found[1].str() + found[2].str();
      const auto all = found[4].str();
      for (std::sregex_iterator it(all.begin(), all.end(), label), end; it != end; ++it)
        labels[name].insert((*it)[1]);
    }
  }
  std::string out;
  for (const auto& [name, kind] : types) {
    out += name + " " + kind + " {";
    for (const auto& l : labels[name])
      out += (out.back() == '{' ? "" : ",") + l;
    out += "}\n";
  }
  return out;
}

} // namespace

TEST_CASE("names, types and labels of the metrics are those that operators know", "[telemetry][f:10.2]") {
  metrics m;
  touch_everything(m);
  std::ifstream golden(std::string(PULSE_SOURCE_DIR) + "/tests/unit/data/metrics.txt");
  const std::string known(std::istreambuf_iterator<char>(golden), {});
  CHECK(shape_of(m.text()) == known);
}

TEST_CASE("the lag of a source that is read elsewhere is not told here", "[telemetry][f:2.14]") {
  metrics m;
  m.source_read("a", 3, 1, 7);
  m.source_read("b", 1, 0, 0);
  CHECK(m.text().find("pulse_source_lag_records{source=\"a\"} 7") != std::string::npos);
  m.source_gone("a");
  m.source_gone("a");
  CHECK(m.text().find("source=\"a\"") == std::string::npos);
  CHECK(m.text().find("source=\"b\"") != std::string::npos);
  CHECK(m.text().find("pulse_source_records_total{outcome=\"accepted\"} 4") != std::string::npos);
}

TEST_CASE("tenants beyond the first fifty share a label, and the total stays exact", "[telemetry][f:10.3]") {
  metrics m;
  for (int t = 1; t <= 200; ++t)
    m.ingested(tenant_id{t}, "ok", t);
  double sum = 0;
  int series = 0;
  std::istringstream lines(m.text());
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("pulse_ingest_tenant_events_total{")) {
      ++series;
      sum += std::stod(line.substr(line.rfind(' ')));
    }
  CHECK(series == 51);
  CHECK(sum == 200 * 201 / 2);
}

TEST_CASE("each event of a part counts with its share of the time", "[telemetry][f:10.2]") {
  metrics m;
  m.scored(0.0009, 10);
  m.scored(0.001, 1);
  m.scored(0, 0);
  std::istringstream lines(m.text());
  const std::regex bucket(R"#(pulse_scoring_event_seconds_bucket\{le="([^"]+)"\} (\d+))#");
  std::vector<std::pair<double, int>> rises;
  for (std::string line; std::getline(lines, line);)
    if (std::smatch found; std::regex_match(line, found, bucket))
      if (const auto n = std::stoi(found[2]); n != (rises.empty() ? 0 : rises.back().second))
        rises.emplace_back(std::stod(found[1]), n);
  CHECK(rises == std::vector<std::pair<double, int>>{{0.0001, 10}, {0.001, 11}});
}

TEST_CASE("labels count by what had been decided: precision and recall are sums of them", "[telemetry][f:10.4]") {
  metrics m;
  m.labelled(true, "decline");
  m.labelled(true, "decline");
  m.labelled(false, "review");
  m.looked_for_drift(false);
  const auto text = m.text();
  CHECK(text.find("pulse_detection_labels_total{label=\"fraud\",outcome=\"decline\"} 2\n") != std::string::npos);
  CHECK(text.find("pulse_detection_labels_total{label=\"legitimate\",outcome=\"review\"} 1\n") != std::string::npos);
  CHECK(text.find("pulse_model_drift_checks_total{result=\"steady\"} 1\n") != std::string::npos);
}
