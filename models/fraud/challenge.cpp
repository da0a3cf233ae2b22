#include "models/fraud/challenge.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

namespace pulse::fraud {

namespace {

/// Hanley and McNeil 1982 (Radiology 143): standard error of an area under the curve.
double area_error(double a, double frauds, double others) {
  const auto q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
  return std::sqrt((a * (1 - a) + (frauds - 1) * (q1 - a * a) + (others - 1) * (q2 - a * a)) / (frauds * others));
}

/// Rows [from, to) in the library's form.
labelled_rows rows_between(const labelled_history& h, std::size_t from, std::size_t to) {
  labelled_rows out;
  out.values.assign(h.values.begin() + static_cast<std::ptrdiff_t>(from * h.columns),
                    h.values.begin() + static_cast<std::ptrdiff_t>(to * h.columns));
  for (auto i = from; i < to; ++i)
    out.label.push_back(h.fraud[i] != 0 ? 1.0f : 0.0f);
  return out;
}

std::vector<double> margins(const model& trees, const labelled_history& h, std::size_t from) {
  std::vector<double> out;
  for (auto i = from; i < h.rows(); ++i)
    out.push_back(trees.margin(std::span(h.values).subspan(i * h.columns, trees.features().size())));
  return out;
}

std::size_t frauds_from(const labelled_history& h, std::size_t from) {
  return static_cast<std::size_t>(std::count(h.fraud.begin() + static_cast<std::ptrdiff_t>(from), h.fraud.end(), 1));
}

/// First row that is held out: the latest share, and nothing that the champion was fitted on.
std::size_t split_of(const labelled_history& h, const std::optional<champion>& holder, double share) {
  auto out = static_cast<std::size_t>(std::ceil(static_cast<double>(h.rows()) * (1 - share)));
  while (holder && out < h.rows() && h.at[out] <= holder->fitted_to)
    ++out;
  return out;
}

void decide(outcome& out, double held_frauds, double held_others) {
  const auto& mine = *out.challenger_rank;
  if (out.champion_rank) {
    const auto& theirs = *out.champion_rank;
    out.passed = mine.average_precision >= theirs.average_precision;
    out.why = fmt::format("average precision {:.3f} against the champion's {:.3f} on {} held-out events",
                          mine.average_precision, theirs.average_precision, out.held_out_rows);
    return;
  }
  const auto lower = mine.auroc - 2 * area_error(mine.auroc, held_frauds, held_others);
  out.passed = lower > 0.5;
  out.why = fmt::format("area under the curve {:.3f}, at least {:.3f}; chance has 0.5", mine.auroc, lower);
}

} // namespace

ranking rank(const std::vector<double>& scores, const std::vector<char>& fraud) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  const auto positives = static_cast<double>(std::count(fraud.begin(), fraud.end(), 1));
  const auto negatives = static_cast<double>(fraud.size()) - positives;
  ranking out;
  if (positives == 0 || negatives == 0)
    return out;
  double p = 0, n = 0;
  for (std::size_t i = 0; i < order.size();) {
    double more_p = 0, more_n = 0;
    for (const auto score = scores[order[i]]; i < order.size() && scores[order[i]] == score; ++i)
      ++(fraud[order[i]] != 0 ? more_p : more_n);
    out.auroc += more_n * (p + more_p / 2);
    p += more_p, n += more_n;
    out.average_precision += more_p / positives * p / (p + n);
    if (n <= 0.01 * negatives)
      out.recall_at_1_percent = p / positives;
  }
  out.auroc /= positives * negatives;
  return out;
}

result<outcome> challenge(const labelled_history& h, const std::vector<std::string>& names,
                          const std::optional<champion>& holder, const challenge_options& options) {
  outcome out;
  out.rows = h.rows();
  out.frauds = frauds_from(h, 0);
  if (out.rows < options.rows_min || out.frauds < options.frauds_min) {
    out.why = fmt::format("{} events with final labels, {} of them fraud; {} and {} are needed", out.rows, out.frauds,
                          options.rows_min, options.frauds_min);
    return out;
  }
  out.from = h.at.front();
  out.to = h.at.back();
  const auto split = split_of(h, holder, options.held_out);
  out.held_out_rows = h.rows() - split;
  out.held_out_frauds = frauds_from(h, split);
  if (out.held_out_frauds < options.held_out_frauds_min || out.frauds == out.held_out_frauds ||
      out.held_out_frauds == out.held_out_rows) {
    out.why =
        fmt::format("{} frauds among the {} latest events{}; {} are needed to compare", out.held_out_frauds,
                    out.held_out_rows, holder ? " that the champion has not seen" : "", options.held_out_frauds_min);
    return out;
  }
  out.held_out_from = h.at[split];
  auto tried = fit(rows_between(h, 0, split), names, options.fit);
  if (!tried)
    return tried.err();
  const std::vector<char> truth(h.fraud.begin() + static_cast<std::ptrdiff_t>(split), h.fraud.end());
  const auto said = margins(tried->trees, h, split);
  out.challenger_rank = rank(said, truth);
  if (holder)
    out.champion_rank = rank(margins(holder->version.trees(), h, split), truth);
  std::vector<float> legitimate;
  for (std::size_t i = 0; i < said.size(); ++i)
    if (truth[i] == 0)
      legitimate.push_back(static_cast<float>(said[i]));
  decide(out, static_cast<double>(out.held_out_frauds), static_cast<double>(legitimate.size()));
  if (!out.passed) {
    out.challenger.emplace(std::move(tried->trees), std::move(legitimate));
    out.to = h.at[split - 1];
    return out;
  }
  auto whole = fit(rows_between(h, 0, h.rows()), names, options.fit);
  if (!whole)
    return whole.err();
  out.challenger.emplace(std::move(whole->trees), std::move(legitimate));
  return out;
}

} // namespace pulse::fraud
