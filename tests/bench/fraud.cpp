// Benchmark: the tenant's features on payments_sparkov_a.csv (argument 1), scored without labels and by the fraud model
// with them, split in time as its README says: features from all events, models of 2024-01-15 to 04-30, figures from
// 05-08 on. Argument 2 is the seed; argument 3 a file that the features are written to, for others to learn from.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include "models/csv/table.hpp"
#include "models/fraud/fit.hpp"
#include "models/risk/pooled.hpp"

using namespace pulse;

namespace {

struct payment {
  event e;
  bool fraud = false;
};

std::vector<payment> read_payments(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  csv::record_reader in(text);
  std::vector<std::string> head, row;
  (void)in.next(head);
  const auto column = [&](const char* name) {
    return static_cast<std::size_t>(std::find(head.begin(), head.end(), name) - head.begin());
  };
  const auto at = column("event_time"), customer = column("customer_id"), amount = column("amount");
  const auto category = column("category"), fraud = column("is_fraud");
  std::vector<payment> out;
  while (*in.next(row)) {
    payment p;
    p.e.type = "track";
    p.e.name = "Order Completed";
    p.e.customer = row[customer];
    p.e.occurred_at = p.e.received_at = parse_time(row[at]).value_or(parse_time(row[at] + "Z").value_or(time_ms{}));
    p.e.amount = to_money(*parse_decimal(row[amount]), *parse_currency("USD"));
    p.e.products.push_back({"", "", row[category], *parse_decimal(row[amount]), *parse_decimal("1")});
    p.fraud = row[fraud] == "1";
    out.push_back(std::move(p));
  }
  return out;
}

/// AUROC, average precision and recall at 1 % false alarms, ties in the order of the events.
void report(const std::string& name, const std::vector<double>& score, const std::vector<char>& label) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return score[a] > score[b]; });
  const double positives = static_cast<double>(std::count(label.begin(), label.end(), 1));
  const auto negatives = static_cast<double>(label.size()) - positives;
  double p = 0, n = 0, area = 0, precision = 0, recall = 0;
  for (auto i : order) {
    if (label[i])
      ++p, precision += p / (p + n);
    else
      ++n, area += p;
    if (n <= 0.01 * negatives)
      recall = p / positives;
  }
  fmt::print("fraud.{}.auroc {:.4f} %\n", name, 100 * area / (positives * negatives));
  fmt::print("fraud.{}.ap {:.5f} 1\n", name, precision / positives);
  fmt::print("fraud.{}.recall_at_1 {:.5f} 1\n", name, recall);
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct history {
  std::vector<payment> payments;
  std::vector<features::row> rows;
  std::vector<std::size_t> train, test;
  std::vector<char> test_label;
};

history replay(const char* path) {
  history out;
  out.payments = read_payments(path);
  const auto from = *parse_time("2024-01-15"), to = *parse_time("2024-05-01"), test = *parse_time("2024-05-08");
  scoring::tenant_scorer scorer;
  for (std::size_t i = 0; i < out.payments.size(); ++i) {
    auto e = out.payments[i].e;
    out.rows.push_back(scorer.score(e, log_offset{static_cast<std::int64_t>(i)}));
    if (e.occurred_at >= from && e.occurred_at < to)
      out.train.push_back(i);
    if (e.occurred_at >= test) {
      out.test.push_back(i);
      out.test_label.push_back(out.payments[i].fraud);
    }
  }
  return out;
}

void without_labels(const history& h, std::uint64_t seed) {
  std::vector<features::row> train;
  for (auto i : h.train)
    train.push_back(h.rows[i]);
  const auto placed = scoring::place(std::make_shared<const detection::model>(
                                         scoring::fit_on_features(train, {.random_state = seed}).value()))
                          .value();
  const auto& model = *placed.model;
  std::vector<double> raw, risk;
  for (auto i : h.test) {
    std::vector<double> row;
    for (std::size_t j = 0; j < placed.columns.size(); ++j) {
      const auto x = static_cast<double>(h.rows[i][placed.columns[j]]);
      row.push_back(std::isnan(x) ? model.typical(j) : x);
    }
    const auto s = model.score(row);
    raw.push_back(s.raw), risk.push_back(-s.tail);
  }
  report("no_labels", raw, h.test_label);
  report("no_labels_risk", risk, h.test_label);
}

/// Learns from the training rows whose label is final at `known_at`.
void with_labels(const history& h, const std::string& name, time_ms known_at, std::uint64_t seed) {
  fraud::labelled_rows rows;
  for (auto i : h.train) {
    const auto& p = h.payments[i];
    if (!fraud::is_mature(p.e.occurred_at, known_at))
      continue;
    rows.values.insert(rows.values.end(), h.rows[i].begin(), h.rows[i].end());
    rows.label.push_back(p.fraud ? 1.0f : 0.0f);
  }
  auto start = now();
  const auto fitted = fraud::fit(rows, features::names(), {.random_state = seed}).value();
  fmt::print("fraud.{}.fit {:.4f} s\n", name, now() - start);
  std::vector<double> score;
  start = now();
  for (auto i : h.test)
    score.push_back(fitted.trees.margin(std::vector<float>(h.rows[i].begin(), h.rows[i].end())));
  fmt::print("fraud.{}.one_row {:.4f} us\n", name, 1e6 * (now() - start) / static_cast<double>(score.size()));
  fmt::print("fraud.{}.file {} bytes\n", name, fitted.trees.save().size());
  report(name, score, h.test_label);
}

/// `train,mature,test,label` and the features, for rows that are one of them.
void write_features(const history& h, const char* path) {
  std::ofstream out(path);
  out << "part,mature,label";
  for (const auto& name : features::names())
    out << ',' << csv::quote(name);
  out << '\n';
  const auto line = [&](std::size_t i, int part, bool mature) {
    out << part << ',' << mature << ',' << h.payments[i].fraud;
    for (auto x : h.rows[i])
      out << ',' << csv::number(static_cast<double>(x));
    out << '\n';
  };
  for (auto i : h.train)
    line(i, 0, fraud::is_mature(h.payments[i].e.occurred_at, *parse_time("2024-05-01")));
  for (auto i : h.test)
    line(i, 1, true);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_fraud payments_sparkov_a.csv SEED [FEATURES.csv]\n");
    return 2;
  }
  const auto seed = std::stoull(argv[2]);
  const auto start = now();
  const auto h = replay(argv[1]);
  fmt::print("fraud.features {:.4f} us\n", 1e6 * (now() - start) / static_cast<double>(h.rows.size()));
  if (argc > 3)
    write_features(h, argv[3]);
  without_labels(h, seed);
  // At the first test day all labels of the training rows are final; a week before, those of its last week are not.
  with_labels(h, "labels", *parse_time("2024-05-08"), seed);
  with_labels(h, "labels_delayed", *parse_time("2024-05-01"), seed);
}
