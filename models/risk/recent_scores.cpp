// See recent_scores.hpp.
#include "models/risk/recent_scores.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::scoring {

namespace {

/// What the model's word weighs, in events of the tenant's own.
constexpr double prior_events = 20;
constexpr double width_min = 1e-6;

} // namespace

/// Oldest first, so that a sum is the same to the last bit after the scores were written and read.
template <class F>
void recent_scores::for_each(F f) const {
  for (std::size_t i = next_; i < scores_.size(); ++i)
    f(static_cast<double>(scores_[i]));
  for (std::size_t i = 0; i < next_; ++i)
    f(static_cast<double>(scores_[i]));
}

double recent_scores::tail(std::string_view model, double raw, double tail) const {
  if (model != model_ || scores_.empty())
    return tail;
  const auto seen = static_cast<double>(scores_.size());
  double sum = 0, squares = 0, at_least = 0;
  for_each([&](double x) { sum += x; });
  for_each([&, mean = sum / seen](double x) { squares += (x - mean) * (x - mean); });
  const auto width = std::max(width_min, std::sqrt(squares / seen));
  for_each([&](double x) { at_least += std::clamp(0.5 + (x - raw) / (2 * width), 0.0, 1.0); });
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
  for_each([&](double x) { out.put(static_cast<float>(x)); });
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
