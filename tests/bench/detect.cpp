// Benchmark: how well and how fast the detector works on labelled CSV files (last column 1 for odd), one part and one
// seed a run, as `name value unit` lines. Labels are used for evaluation only. tests/bench/detect.py runs it between
// runs of its references.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "models/csv/table.hpp"
#include "models/detection/drift.hpp"
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

struct report {
  std::uint64_t seed = 0;

  void operator()(const std::string& name, double value, const char* unit) const {
    fmt::print("{} {:.6g} {}\n", name, value, unit);
  }
};

void quality_of(const report& out, const std::vector<data_set>& sets) {
  std::map<std::string, std::pair<double, double>> sum;
  const auto add = [&](const std::string& kind, const data_set& set, const std::vector<double>& score) {
    const auto [area, precision] = quality(score, set.label);
    out(fmt::format("auroc.{}.{}", kind, set.name), area, "%");
    out(fmt::format("ap.{}.{}", kind, set.name), precision, "1");
    sum[kind].first += area / static_cast<double>(sets.size());
    sum[kind].second += precision / static_cast<double>(sets.size());
  };
  for (const auto& set : sets) {
    for (auto kind : {model_kind::forest, model_kind::bundle}) {
      const auto m = fit(set.view(), set.names, {.kind = kind, .random_state = out.seed}).value();
      std::vector<double> raw, risk, local;
      for (std::size_t i = 0; i < set.rows(); ++i) {
        const auto s = m.score(set.row(i));
        raw.push_back(s.raw), risk.push_back(-s.tail), local.push_back(s.local);
      }
      add(kind == model_kind::forest ? "forest" : "bundle", set, raw);
      if (kind == model_kind::bundle) {
        add("bundle_risk", set, risk);
        add("local", set, local);
      }
    }
  }
  for (const auto& [kind, mean] : sum) {
    out(fmt::format("auroc.{}.mean", kind), mean.first, "%");
    out(fmt::format("ap.{}.mean", kind), mean.second, "1");
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

/// Lowest, highest and standard deviation of each column.
struct extent {
  std::vector<double> low, high, deviation;

  explicit extent(const std::vector<double>& values, std::size_t columns) :
    low(columns, INFINITY), high(columns, -INFINITY), deviation(columns) {
    const auto rows = values.size() / columns;
    for (std::size_t j = 0; j < columns; ++j) {
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        const auto x = values[i * columns + j];
        low[j] = std::min(low[j], x), high[j] = std::max(high[j], x), sum += x, squares += x * x;
      }
      const auto n = static_cast<double>(rows);
      deviation[j] = std::sqrt(std::max(0.0, squares / n - sum * sum / n / n));
    }
  }
};

void out_of_range(const report& out, const data_set& set) {
  const auto h = split(set, out.seed);
  const auto m = fit({h.train, h.train.size() / set.columns, set.columns}, set.names, {.random_state = out.seed});
  const extent range(h.train, set.columns);
  double caught = 0, named = 0, false_1 = 0, false_01 = 0;
  random_stream random(out.seed, 2);
  std::vector<double> normal;
  for (const auto& row : h.test) {
    const auto s = m->score(row);
    normal.push_back(s.raw);
    false_1 += s.tail <= 0.01, false_01 += s.tail <= 0.001;
  }
  std::sort(normal.begin(), normal.end());
  const auto limit = normal[static_cast<std::size_t>(0.99 * static_cast<double>(normal.size()))];
  constexpr int planted = 1000;
  for (int k = 0; k < planted; ++k) {
    auto row = h.test[random.below(static_cast<std::uint32_t>(h.test.size()))];
    std::size_t j = 0;
    do
      j = random.below(static_cast<std::uint32_t>(set.columns));
    while (!(range.deviation[j] > 0));
    row[j] = random.uniform() < 0.5 ? range.low[j] - 3 * range.deviation[j] : range.high[j] + 3 * range.deviation[j];
    caught += m->score(row).raw > limit;
    named += m->explain(row)[0].feature == j;
  }
  const auto tested = static_cast<double>(h.test.size());
  out(fmt::format("range.recall.{}", set.name), 100 * caught / planted, "%");
  out(fmt::format("range.first_reason.{}", set.name), 100 * named / planted, "%");
  out(fmt::format("calibration.asked_1.{}", set.name), 100 * false_1 / tested, "%");
  out(fmt::format("calibration.asked_01.{}", set.name), 100 * false_01 / tested, "%");
}

/// What a fit on the other half of the normal rows, with another seed, moves.
void retrained(const report& out, const data_set& set) {
  const auto a = split(set, out.seed), b = split(set, out.seed + 1);
  const auto fitted = [&](const halves& h, std::uint64_t seed) {
    return fit({h.train, h.train.size() / set.columns, set.columns}, set.names, {.random_state = seed}).value();
  };
  const auto first = fitted(a, out.seed), second = fitted(b, out.seed + 1);
  std::vector<double> moves;
  for (std::size_t i = 0; i < set.rows(); i += 1 + set.rows() / 5000)
    moves.push_back(std::abs(first.score(set.row(i)).risk - second.score(set.row(i)).risk));
  std::nth_element(moves.begin(), moves.begin() + static_cast<std::ptrdiff_t>(moves.size() / 2), moves.end());
  out(fmt::format("retrain.median_move.{}", set.name), moves[moves.size() / 2], "points");
}

void reasons(const report& out, const data_set& set) {
  const auto a = fit(set.view(), set.names, {.random_state = out.seed});
  const auto b = fit(set.view(), set.names, {.random_state = out.seed + 99'991});
  const auto limit = a->raw_limit(0.01);
  double alarms = 0, same = 0, lower = 0, worst = 0;
  random_stream random(out.seed, 5);
  for (std::size_t i = 0; i < set.rows(); ++i) {
    const auto row = set.row(i);
    const auto s = a->score(row);
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
  out(fmt::format("reasons.same_first.{}", set.name), 100 * same / alarms, "%");
  out(fmt::format("reasons.reset_lowers_more.{}", set.name), 100 * lower / alarms, "%");
  out(fmt::format("reasons.sum_error.{}", set.name), worst, "log2");
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Microseconds of single calls: median and 99th percentile.
void one_row(const report& out, const std::string& name, const data_set& set, const auto& call) {
  std::vector<double> each;
  double sum = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(set.rows(), 5000); ++i) {
    const auto start = now();
    sum += call(set.row(i));
    each.push_back(1e6 * (now() - start));
  }
  std::sort(each.begin(), each.end());
  out(name + ".p50", each[each.size() / 2] + 0 * sum, "us");
  out(name + ".p99", each[each.size() * 99 / 100], "us");
}

void cost(const report& out, const data_set& set) {
  // The references run in a process that has loaded what it needs: ours has its libraries' first use behind it, too.
  (void)fit({set.view().values.first(500 * set.columns), 500, set.columns}, set.names, {.n_estimators = 2});
  for (auto kind : {model_kind::forest, model_kind::bundle}) {
    const std::string name = kind == model_kind::forest ? "cost.forest" : "cost.bundle";
    auto start = now();
    const auto m = fit(set.view(), set.names, {.kind = kind, .random_state = out.seed}).value();
    out(name + ".fit", now() - start, "s");
    start = now();
    const auto all = m.score_all(set.view());
    out(name + ".batch", static_cast<double>(all.size()) / (now() - start), "rows/s");
    one_row(out, name + ".one_row", set, [&](auto row) { return m.score(row).raw; });
    if (kind == model_kind::bundle)
      one_row(out, name + ".with_reasons", set,
              [&](auto row) { return m.score(row).raw + m.explain(row)[0].model + m.explain_local(row)[0].model; });
    out(name + ".file", static_cast<double>(m.save().size()), "bytes");
    out(name + ".memory", static_cast<double>(m.memory_bytes()), "bytes");
  }
}

/// Sums of twelve uniform numbers: close to normal.
double bell(random_stream& random) {
  double x = -6;
  for (int k = 0; k < 12; ++k)
    x += random.uniform();
  return x;
}

/// Ten columns of normal numbers that depend on the part of the week where `season` says so.
void drift(const report& out) {
  constexpr std::size_t columns = 10, reference_rows = 20'000;
  random_stream random(out.seed, 11);
  std::vector<std::string> names;
  for (std::size_t j = 0; j < columns; ++j)
    names.push_back("x" + std::to_string(j));
  const auto draw = [&](std::size_t part, double shift, double factor) {
    std::vector<double> row;
    for (std::size_t j = 0; j < columns; ++j)
      row.push_back(bell(random) + (j == 1 && part >= 4 ? 2 : 0));
    row[3] += shift;
    row[7] = std::exp(row[7]) * factor;
    return row;
  };
  std::vector<double> values;
  std::vector<std::uint8_t> parts;
  for (std::size_t i = 0; i < reference_rows; ++i) {
    parts.push_back(static_cast<std::uint8_t>(random.below(28) < 20 ? i % 4 : 4 + i % 4));
    const auto row = draw(parts.back(), 0, 1);
    values.insert(values.end(), row.begin(), row.end());
  }
  const drift_reference reference(values, names, parts);
  /// Share of windows that name a column (any, when the name is empty).
  const auto share = [&](std::size_t rows, bool weekend, double shift, double factor, const std::string& name) {
    constexpr int windows = 400;
    int hits = 0;
    for (int w = 0; w < windows; ++w) {
      drift_window window(reference);
      for (std::size_t i = 0; i < rows; ++i) {
        const std::size_t part = weekend ? 4 + i % 4 : random.below(28) < 20 ? i % 4 : 4 + i % 4;
        window.add(draw(part, shift, factor), part);
      }
      const auto found = window.look();
      hits += name.empty() ? found[0].drifted : found[0].drifted && found[0].name == name;
    }
    return 100.0 * hits / windows;
  };
  for (std::size_t rows : {100, 300, 1000, 5000})
    out(fmt::format("drift.false_alarms.{}", rows), share(rows, false, 0, 1, ""), "%");
  out("drift.false_alarms.weekend_1000", share(1000, true, 0, 1, ""), "%");
  out("drift.found.quarter_deviation_1000", share(1000, false, 0.25, 1, "x3"), "%");
  out("drift.found.currency_50", share(50, false, 0, 100, "x7"), "%");
}

} // namespace

int main(int argc, char** argv) {
  const std::string part = argc > 1 ? argv[1] : "";
  if (argc < 4) {
    fmt::print(stderr, "usage: bench_detect quality|range|reasons|retrain|cost|drift SEED FOLDER|FILE...\n");
    return 2;
  }
  const report out{std::stoull(argv[2])};
  if (part == "drift") {
    drift(out);
    return 0;
  }
  std::vector<data_set> sets;
  for (int i = 3; i < argc; ++i)
    sets.push_back(read_set(argv[i]));
  if (part == "quality")
    quality_of(out, sets);
  for (const auto& set : sets) {
    if (part == "range")
      out_of_range(out, set);
    if (part == "reasons")
      reasons(out, set);
    if (part == "retrain")
      retrained(out, set);
    if (part == "cost")
      cost(out, set);
  }
}
