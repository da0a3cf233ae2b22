// Benchmark: the tenant's scorer without labels on payments_sparkov_a.csv (argument 1), split in time as its README
// says: features from all events, model of 2024-01-15 to 04-30, figures from 05-08 on. Labels for evaluation only.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include "models/csv/table.hpp"
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

void report(const char* name, const std::vector<double>& score, const std::vector<char>& label) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return score[a] > score[b]; });
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
  fmt::print("fraud.{} auroc {:.2f} %  ap {:.3f}  recall at 1 % false alarms {:.3f}\n", name,
             100 * area / (positives * negatives), precision / positives, recall);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_fraud payments_sparkov_a.csv\n");
    return 2;
  }
  const auto payments = read_payments(argv[1]);
  const auto from = *parse_time("2024-01-15"), to = *parse_time("2024-05-01"), test = *parse_time("2024-05-08");
  scoring::tenant_scorer scorer;
  std::vector<features::row> train, all;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < payments.size(); ++i) {
    auto e = payments[i].e;
    all.push_back(scorer.score(e, log_offset{static_cast<std::int64_t>(i)}));
    if (e.occurred_at >= from && e.occurred_at < to)
      train.push_back(all.back());
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("features {:.2f} us an event, {} to train on\n", 1e6 * seconds.count() / static_cast<double>(all.size()),
             train.size());
  for (std::uint64_t seed : {1, 1001, 5003}) {
    const auto model = scoring::fit_on_features(train, {.random_state = seed}).value();
    std::vector<double> score;
    std::vector<char> label;
    for (std::size_t i = 0; i < payments.size(); ++i)
      if (payments[i].e.occurred_at >= test) {
        std::vector<double> row(all[i].begin(), all[i].end());
        for (std::size_t j = 0; j < row.size(); ++j)
          row[j] = std::isnan(row[j]) ? model.typical(j) : row[j];
        score.push_back(model.score(row).raw);
        label.push_back(payments[i].fraud);
      }
    report(fmt::format("seed_{}", seed).c_str(), score, label);
  }
  for (std::size_t f = 0; f < features::count; ++f) {
    std::vector<double> score;
    std::vector<char> label;
    for (std::size_t i = 0; i < payments.size(); ++i)
      if (payments[i].e.occurred_at >= test) {
        score.push_back(std::isnan(all[i][f]) ? -1e9 : static_cast<double>(all[i][f]));
        label.push_back(payments[i].fraud);
      }
    report(features::names()[f].c_str(), score, label);
  }
}
