// Benchmark: the metric detector on the labelled series of a folder (argument 1, as described in its README) by the
// scoring of the Numenta Anomaly Benchmark (Lavin, Ahmad 2015), standard profile; one threshold for all files.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "models/series/detector.hpp"
#include "models/series/series.hpp"

using namespace pulse;

namespace {

struct file {
  std::string name;
  std::vector<series::point> points;
  std::vector<double> score;
  /// First and last index of each window.
  std::vector<std::pair<std::size_t, std::size_t>> windows;
};

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

double sigmoid(double y) {
  return y > 3 ? -1 : 2 / (1 + std::exp(5 * y)) - 1;
}

struct profile {
  double false_alarm, missed;
};

double raw_score(const file& f, double threshold, profile p, int* false_alarms, int* found) {
  const auto n = f.points.size();
  const auto probation = std::min<std::size_t>(static_cast<std::size_t>(0.15 * static_cast<double>(n)), 750);
  double out = 0;
  std::vector<bool> hit(f.windows.size());
  for (auto i = probation; i < n; ++i) {
    if (f.score[i] < threshold)
      continue;
    double false_cost = -1;
    bool inside = false;
    for (std::size_t w = 0; w < f.windows.size(); ++w) {
      const auto [first, last] = f.windows[w];
      const auto width = static_cast<double>(last - first + 1);
      if (i >= first && i <= last) {
        inside = true;
        if (!hit[w])
          out += sigmoid(-static_cast<double>(last - i + 1) / width) / sigmoid(-1);
        hit[w] = true;
      } else if (i > last) {
        false_cost = sigmoid(static_cast<double>(i - last) / std::max(1.0, width - 1));
      }
    }
    if (!inside)
      out += p.false_alarm * false_cost, ++*false_alarms;
  }
  for (std::size_t w = 0; w < hit.size(); ++w)
    hit[w] ? (void)++*found : (void)(out -= p.missed);
  return out;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_series FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder(argv[1]);
  std::vector<file> files;
  double windows = 0;
  const auto listed = nlohmann::json::parse(slurp(folder / "windows.json"));
  for (const auto& [name, list] : listed.items()) {
    file f{name, series::read_points(slurp(folder / name)).value(), {}, {}};
    for (const auto& w : list) {
      const auto index = [&](const nlohmann::json& text) {
        const auto t = *series::parse_timestamp(text.get<std::string>().substr(0, 19));
        const auto at = std::lower_bound(f.points.begin(), f.points.end(), t,
                                         [](const series::point& q, time_ms v) { return q.at < v; });
        return static_cast<std::size_t>(at - f.points.begin());
      };
      f.windows.emplace_back(index(w[0]), std::min(index(w[1]), f.points.size() - 1));
      ++windows;
    }
    series::detector d;
    for (const auto& q : f.points)
      f.score.push_back(d.next(q.at, q.value).score);
    files.push_back(std::move(f));
  }
  const auto total = [&](double threshold, profile p, int* alarms, int* found) {
    double sum = 0;
    for (const auto& f : files)
      sum += raw_score(f, threshold, p, alarms, found);
    return 100 * (sum + p.missed * windows) / ((1 + p.missed) * windows);
  };
  double best = -1e9, best_at = 0;
  for (double threshold = 0.2; threshold < 0.8; threshold += 0.01) {
    int alarms = 0, found = 0;
    if (const auto s = total(threshold, {0.11, 1}, &alarms, &found); s > best)
      best = s, best_at = threshold;
  }
  for (auto threshold : {0.5, best_at}) {
    int alarms = 0, found = 0, ignored = 0, ignored_too = 0;
    const auto standard = total(threshold, {0.11, 1}, &alarms, &found);
    fmt::print("nab.standard {:.1f} threshold {:.2f}  low_fp {:.1f}  low_fn {:.1f}  windows {}/{}  false alarms {}\n",
               standard, threshold, total(threshold, {0.22, 1}, &ignored, &ignored_too),
               total(threshold, {0.11, 2}, &ignored, &ignored_too), found, windows, alarms);
  }
  for (const auto& f : files) {
    int alarms = 0, found = 0;
    const auto s = raw_score(f, 0.5, {0.11, 1}, &alarms, &found);
    const auto weeks = static_cast<double>(f.points.back().at.value - f.points[0].at.value) / (7 * day_ms);
    fmt::print("file {:55} {:6.2f} of {}  found {} false {} ({:.2f} a week)\n", f.name, s, f.windows.size(), found,
               alarms, alarms / weeks);
  }
}
