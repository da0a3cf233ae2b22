// Benchmark: how well and how fast the detector works on the labelled sets of a data folder (argument 1, as described
// in its README). Prints `name value unit` lines. Labels are used for evaluation only.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "models/csv/table.hpp"
#include "models/detection/model.hpp"
#include "models/detection/random.hpp"

using namespace pulse;
using namespace pulse::detection;

namespace {

struct data_set {
  std::string name;
  std::vector<std::string> names;
  std::vector<double> values;
  std::vector<char> label;
  std::size_t columns = 0;

  std::size_t rows() const {
    return label.size();
  }

  std::span<const double> row(std::size_t i) const {
    return std::span(values).subspan(i * columns, columns);
  }

  matrix_view view() const {
    return {values, rows(), columns};
  }
};

data_set read_set(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto table = csv::read_numbers(text).value();
  data_set out;
  out.name = path.stem().string();
  out.names.assign(table.columns.begin(), table.columns.end() - 1);
  out.columns = out.names.size();
  for (std::size_t i = 0; i < table.rows; ++i) {
    const auto* row = &table.values[i * table.columns.size()];
    out.values.insert(out.values.end(), row, row + out.columns);
    out.label.push_back(row[out.columns] > 0);
  }
  return out;
}

/// Order by score descending, ties by chance-free index; returns AUROC (ties half) and average precision, in %.
std::pair<double, double> quality(const std::vector<double>& score, const std::vector<char>& label) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return score[a] > score[b]; });
  double positives = 0, negatives = 0, area = 0, precision = 0;
  for (std::size_t i = 0; i < order.size();) {
    double p = 0, n = 0;
    for (const auto s = score[order[i]]; i < order.size() && score[order[i]] == s; ++i)
      (label[order[i]] ? p : n) += 1;
    area += n * (positives + p / 2);
    positives += p, negatives += n;
    precision += p * positives / (positives + negatives);
  }
  return {100 * area / (positives * negatives), precision / positives};
}

double seconds_of(const auto& body) {
  // CPU time: the machine is shared.
  const auto start = std::clock();
  body();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

struct spread {
  double sum = 0, low = INFINITY, high = -INFINITY;
  int n = 0;

  void add(double x) {
    sum += x, low = std::min(low, x), high = std::max(high, x), ++n;
  }

  double mean() const {
    return sum / n;
  }
};

void auroc(const std::vector<data_set>& sets, int seeds) {
  for (auto kind : {model_kind::forest, model_kind::bundle}) {
    spread all;
    for (const auto& set : sets) {
      spread area, precision;
      for (int seed = 0; seed < seeds; ++seed) {
        const auto m = fit(set.view(), set.names, {kind, 100, 256, static_cast<std::uint64_t>(seed * 7919), {}, {}});
        std::vector<double> scores;
        for (std::size_t i = 0; i < set.rows(); ++i)
          scores.push_back(m->score(set.row(i)).raw);
        const auto [a, p] = quality(scores, set.label);
        area.add(a), precision.add(p);
      }
      all.add(area.mean());
      fmt::print("auroc.{}.{} {:.2f} % ({:.1f}-{:.1f})  ap {:.3f}\n", kind == model_kind::forest ? "forest" : "bundle",
                 set.name, area.mean(), area.low, area.high, precision.mean());
    }
    fmt::print("auroc.{}.mean {:.2f} %\n", kind == model_kind::forest ? "forest" : "bundle", all.mean());
  }
}

/// Normal rows split in halves by chance; a model of the first half.
struct halves {
  std::vector<double> train;
  std::vector<std::vector<double>> test;
};

halves split(const data_set& set, std::uint64_t seed) {
  random_stream random(seed, 1);
  halves out;
  for (std::size_t i = 0; i < set.rows(); ++i) {
    if (set.label[i])
      continue;
    const auto row = set.row(i);
    if (random.uniform() < 0.5)
      out.train.insert(out.train.end(), row.begin(), row.end());
    else
      out.test.emplace_back(row.begin(), row.end());
  }
  return out;
}

void out_of_range(const data_set& set, int seeds) {
  spread recall, first, asked_1, asked_01;
  for (int seed = 0; seed < seeds; ++seed) {
    const auto h = split(set, static_cast<std::uint64_t>(seed) * 101);
    const auto rows = h.train.size() / set.columns;
    const auto m = fit({h.train, rows, set.columns}, set.names, {.random_state = static_cast<std::uint64_t>(seed)});
    std::vector<double> low(set.columns, INFINITY), high(set.columns, -INFINITY), deviation(set.columns);
    for (std::size_t j = 0; j < set.columns; ++j) {
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        const auto x = h.train[i * set.columns + j];
        low[j] = std::min(low[j], x), high[j] = std::max(high[j], x), sum += x, squares += x * x;
      }
      const auto n = static_cast<double>(rows);
      deviation[j] = std::sqrt(std::max(0.0, squares / n - sum * sum / n / n));
    }
    double caught = 0, named = 0, n = 0, false_1 = 0, false_01 = 0;
    random_stream random(static_cast<std::uint64_t>(seed), 2);
    std::vector<double> normal;
    for (const auto& row : h.test) {
      const auto s = m->score(row);
      normal.push_back(s.raw);
      false_1 += s.risk >= 99, false_01 += s.risk >= 99.9;
    }
    std::sort(normal.begin(), normal.end());
    const auto limit = normal[static_cast<std::size_t>(0.99 * static_cast<double>(normal.size()))];
    for (std::size_t k = 0; k < 1000; ++k) {
      auto row = h.test[random.below(static_cast<std::uint32_t>(h.test.size()))];
      std::size_t j = 0;
      do
        j = random.below(static_cast<std::uint32_t>(set.columns));
      while (!(deviation[j] > 0));
      row[j] = random.uniform() < 0.5 ? low[j] - 3 * deviation[j] : high[j] + 3 * deviation[j];
      const auto hit = m->score(row).raw > limit;
      ++n, caught += hit;
      named += m->explain(row)[0].feature == j;
    }
    recall.add(100 * caught / n), first.add(100 * named / n);
    asked_1.add(100 * false_1 / static_cast<double>(h.test.size()));
    asked_01.add(100 * false_01 / static_cast<double>(h.test.size()));
  }
  fmt::print("range.{} recall {:.1f} % ({:.0f}-{:.0f}) first reason {:.1f} %  asked 1: {:.2f} ({:.2f}-{:.2f}) asked "
             ".1: {:.3f} ({:.2f}-{:.2f})\n",
             set.name, recall.mean(), recall.low, recall.high, first.mean(), asked_1.mean(), asked_1.low, asked_1.high,
             asked_01.mean(), asked_01.low, asked_01.high);
}

void reasons(const data_set& set) {
  const auto a = fit(set.view(), set.names, {.random_state = 11});
  const auto b = fit(set.view(), set.names, {.random_state = 99991});
  const auto limit = a->raw_limit(0.01);
  double alarms = 0, same = 0, lower = 0, worst = 0;
  random_stream random(5, 5);
  spread moved;
  std::vector<double> moves;
  for (std::size_t i = 0; i < set.rows(); ++i) {
    const auto row = set.row(i);
    const auto s = a->score(row);
    if (i % 7 == 0)
      moves.push_back(std::abs(s.risk - b->score(row).risk));
    if (s.raw < limit)
      continue;
    const auto ea = a->explain(row);
    auto sum = a->base();
    for (const auto& c : ea)
      sum += c.total();
    worst = std::max(worst, std::abs(sum - s.log2_total));
    ++alarms;
    same += ea[0].feature == b->explain(row)[0].feature;
    const auto reset = [&](std::size_t j) {
      std::vector<double> other(row.begin(), row.end());
      for (const auto& c : ea)
        if (c.feature == j)
          other[j] = c.typical;
      return a->score(other).raw;
    };
    std::size_t j = 0;
    do
      j = random.below(static_cast<std::uint32_t>(set.columns));
    while (j == ea[0].feature);
    lower += reset(ea[0].feature) < reset(j);
  }
  std::nth_element(moves.begin(), moves.begin() + static_cast<std::ptrdiff_t>(moves.size() / 2), moves.end());
  fmt::print("reasons.{} same first {:.1f} %  reset lowers more {:.1f} %  worst sum error {:.1e}  median move of risk "
             "{:.2f}\n",
             set.name, 100 * same / alarms, 100 * lower / alarms, worst, moves[moves.size() / 2]);
}

void cost(const data_set& set) {
  for (auto kind : {model_kind::forest, model_kind::bundle}) {
    std::optional<model> m;
    const auto fit_s = seconds_of([&] { m = fit(set.view(), set.names, {.kind = kind}).value(); });
    double sum = 0;
    const auto score_s = seconds_of([&] {
      for (std::size_t i = 0; i < set.rows(); ++i)
        sum += m->score(set.row(i)).raw;
    });
    const auto rows = std::min<std::size_t>(set.rows(), 5000);
    const auto explain_s = seconds_of([&] {
      for (std::size_t i = 0; i < rows; ++i)
        sum += m->explain(set.row(i))[0].model;
    });
    fmt::print("cost.{}.{} fit {:.3f} s  score {:.2f} us/row  explain {:.2f} us/row  file {} bytes ({:.3f})\n",
               kind == model_kind::forest ? "forest" : "bundle", set.name, fit_s,
               1e6 * score_s / static_cast<double>(set.rows()), 1e6 * explain_s / static_cast<double>(rows),
               m->save().size(), sum > 0 ? 0.0 : 1.0);
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_detect FOLDER [SEEDS] [auroc|range|reasons|cost]...\n");
    return 2;
  }
  const int seeds = argc > 2 ? std::stoi(argv[2]) : 5;
  const std::vector<std::string> parts(argv + std::min(argc, 3), argv + argc);
  const auto wanted = [&](const char* part) {
    return parts.empty() || std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  std::vector<data_set> sets;
  for (const auto* name :
       {"mammography", "annthyroid", "cardio", "shuttle", "breastw", "wilt", "http100k", "fraud_q_a"})
    if (const auto path = std::filesystem::path(argv[1]) / (std::string(name) + ".csv"); std::filesystem::exists(path))
      sets.push_back(read_set(path));
  if (wanted("auroc"))
    auroc(sets, seeds);
  for (const auto& set : sets) {
    if (wanted("range"))
      out_of_range(set, seeds);
    if (wanted("reasons"))
      reasons(set);
    if (wanted("cost"))
      cost(set);
  }
}
