// A tenant's latest scores under a model that was fitted on other shops' events, or on a history too short to know.
// They say what is usual here, so that a shop unlike the sample (many events a customer, other prices), or one whose
// counts over a day are still filling, is not flagged for being itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "models/binary/bytes.hpp"

namespace pulse::scoring {

class recent_scores {
public:
  /// Scores kept: the latest.
  static constexpr std::size_t size_max = 512;

  /// Share of this tenant's events at least as unusual as `raw`, in (0, 1]: the tenant's own share, shrunk towards the
  /// model's `tail` with the weight of twenty events (the mean of the beta-binomial posterior), and never below `tail`,
  /// which some hundred scores could not support. The own share is smoothed over one standard deviation to each side:
  /// while a shop's counts still grow, each event is a little more unusual than all before it, and that is no news. Up
  /// to five (or one in fifty) that lie far above the rest are left out: an odd event does not make the next one usual.
  double tail(std::string_view model, double raw, double tail) const;

  /// A score under another model forgets those before it.
  void add(std::string_view model, double raw);

  void write(binary::writer& out) const;
  bool read(binary::reader& in);

private:
  template <class F>
  void for_each(F f) const;

  std::string model_;
  /// A ring once it is full; `next_` is the oldest.
  std::vector<float> scores_;
  std::size_t next_ = 0;
};

} // namespace pulse::scoring
