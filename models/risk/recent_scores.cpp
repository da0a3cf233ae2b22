// See recent_scores.hpp.
#include "models/risk/recent_scores.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::scoring {

namespace {

/// What the model's word weighs, in events of the tenant's own.
constexpr double prior_events = 20;
constexpr double width_min = 1e-6;
/// Of the highest scores, five or one in fifty, those far above the rest do not count as usual: some odd events in a
/// row must not make the next one look like all the others. A shop that is unlike the sample has more of them at once.
constexpr std::size_t odd_min = 5;
constexpr std::size_t odd_share = 50;
constexpr double odd_widths = 3;

} // namespace

/// Oldest first, so that what is computed is the same to the last bit after the scores were written and read.
template <class F>
void recent_scores::for_each(F f) const {
  for (std::size_t i = next_; i < scores_.size(); ++i)
    f(scores_[i]);
  for (std::size_t i = 0; i < next_; ++i)
    f(scores_[i]);
}

double recent_scores::tail(std::string_view model, double raw, double tail) const {
  if (model != model_ || scores_.empty())
    return tail;
  std::vector<float> usual;
  usual.reserve(scores_.size());
  for_each([&](float x) { usual.push_back(x); });
  const auto highest = std::min(usual.size(), std::max(odd_min, usual.size() / odd_share));
  const auto rest = usual.size() - highest;
  if (rest == 0)
    return tail;
  std::nth_element(usual.begin(), usual.begin() + static_cast<std::ptrdiff_t>(rest), usual.end());
  double mean = 0, squares = 0, seen = 0, at_least = 0;
  for (std::size_t i = 0; i < rest; ++i)
    mean += usual[i] / static_cast<double>(rest);
  for (std::size_t i = 0; i < rest; ++i)
    squares += (usual[i] - mean) * (usual[i] - mean);
  const auto width = std::max(width_min, std::sqrt(squares / static_cast<double>(rest)));
  for (std::size_t i = 0; i < usual.size(); ++i) {
    if (i >= rest && usual[i] > mean + odd_widths * width)
      continue;
    ++seen;
    at_least += std::clamp(0.5 + (usual[i] - raw) / (2 * width), 0.0, 1.0);
  }
  return std::max(tail, (at_least + prior_events * tail) / (seen + prior_events));
}

void recent_scores::add(std::string_view model, double raw) {
  if (model != model_) {
    model_ = model;
    scores_.clear();
    next_ = 0;
  }
  if (scores_.size() < size_max) {
    scores_.push_back(static_cast<float>(raw));
    return;
  }
  scores_[next_] = static_cast<float>(raw);
  next_ = (next_ + 1) % size_max;
}

void recent_scores::write(binary::writer& out) const {
  out.put_text(model_);
  out.put_varint(scores_.size());
  for_each([&](float x) { out.put(x); });
}

bool recent_scores::read(binary::reader& in) {
  model_ = in.get_text();
  scores_.resize(in.get_count(sizeof(float)));
  next_ = 0;
  for (auto& x : scores_)
    x = in.get<float>();
  return in.ok() && scores_.size() <= size_max;
}

} // namespace pulse::scoring
