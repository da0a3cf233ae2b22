#include "models/rules/window.hpp"

#include <algorithm>
#include <vector>

namespace pulse::rules {

namespace {

std::int64_t hour_of(time_ms t) {
  return t.value / hour_ms - (t.value % hour_ms < 0 ? 1 : 0);
}

/// Sums of a few thousand of these stay within 64 bits, and differences of wrapped sums are right anyway.
std::int64_t wrapped_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::int64_t wrapped_sub(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

} // namespace

bool window::too_late(time_ms t) const {
  return newest_.value != INT64_MIN && t.value < newest_.value - window_lateness_ms;
}

bool window::add(const window_spec& spec, const window_event& e) {
  if (too_late(e.at))
    return false;
  newest_ = std::max(newest_, e.at);
  const auto what = spec.measure == measure::distinct ? static_cast<std::int64_t>(e.thing)
                    : spec.measure == measure::sum    ? e.amount
                                                      : 1;
  if (!spec.hourly)
    insert(e.at.value, what, spec.measure == measure::distinct);
  else if (spec.measure == measure::distinct)
    insert(hour_of(e.at), what, true);
  else
    merge_hour(hour_of(e.at), what);
  forget(spec);
  return true;
}

/// Things of one hour stand once; those of one millisecond too, which changes no answer.
void window::insert(std::int64_t at, std::int64_t what, bool by_thing) {
  const auto less = [by_thing](const entry& a, const entry& b) {
    return a.at != b.at ? a.at < b.at : by_thing && a.what < b.what;
  };
  auto place = std::upper_bound(entries_.begin(), entries_.end(), entry{at, what, 0}, less);
  if (by_thing && place != entries_.begin() && std::prev(place)->at == at && std::prev(place)->what == what)
    return;
  const auto before = place != entries_.begin() ? std::prev(place)->sum
                      : entries_.empty()        ? 0
                                                : wrapped_sub(place->sum, place->what);
  place = entries_.insert(place, {at, what, before});
  for (; place != entries_.end(); ++place)
    place->sum = wrapped_add(place->sum, what);
}

void window::merge_hour(std::int64_t hour, std::int64_t by) {
  const auto less = [](const entry& e, std::int64_t at) {
    return e.at < at;
  };
  auto place = std::lower_bound(entries_.begin(), entries_.end(), hour, less);
  if (place == entries_.end() || place->at != hour) {
    insert(hour, by, false);
    return;
  }
  place->what = wrapped_add(place->what, by);
  for (; place != entries_.end(); ++place)
    place->sum = wrapped_add(place->sum, by);
}

void window::forget(const window_spec& spec) {
  const auto oldest = spec.hourly ? hour_of(newest_) - (window_max_ms + window_lateness_ms) / hour_ms
                                  : newest_.value - exact_max_ms - window_lateness_ms;
  std::size_t gone = 0;
  while (gone < entries_.size() && entries_[gone].at <= oldest)
    ++gone;
  for (; entries_.size() - gone > window_entries_max; ++gone)
    cut_ = std::max(cut_, entries_[gone].at);
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
}

std::int64_t window::distinct(iterator from, iterator to, const window_event* self) const {
  std::vector<std::int64_t> things;
  things.reserve(static_cast<std::size_t>(to - from) + 1);
  std::transform(from, to, std::back_inserter(things), [](const entry& e) { return e.what; });
  if (self != nullptr)
    things.push_back(static_cast<std::int64_t>(self->thing));
  std::sort(things.begin(), things.end());
  return std::unique(things.begin(), things.end()) - things.begin();
}

window_answer window::ask(const window_spec& spec, std::int64_t width_ms, time_ms t, const window_event* self) const {
  if (too_late(t))
    return {0, true, false};
  const auto last = spec.hourly ? hour_of(t) : t.value;
  const auto after = last - (spec.hourly ? width_ms / hour_ms : width_ms);
  const auto later = [](std::int64_t at, const entry& e) {
    return at < e.at;
  };
  const auto from = std::upper_bound(entries_.begin(), entries_.end(), after, later);
  const auto to = std::upper_bound(from, entries_.end(), last, later);
  window_answer out;
  out.saturated = cut_ > after;
  if (spec.measure == measure::distinct) {
    out.total = distinct(from, to, self);
    return out;
  }
  if (from != to)
    out.total = wrapped_sub(std::prev(to)->sum, wrapped_sub(from->sum, from->what));
  if (self != nullptr)
    out.total = wrapped_add(out.total, spec.measure == measure::sum ? self->amount : 1);
  return out;
}

void window::write(binary::writer& out) const {
  out.put(newest_.value);
  out.put(cut_);
  out.put_varint(entries_.size());
  for (const auto& e : entries_) {
    out.put(e.at);
    out.put(e.what);
  }
}

bool window::read(binary::reader& in) {
  newest_ = time_ms{in.get<std::int64_t>()};
  cut_ = in.get<std::int64_t>();
  entries_.resize(in.get_count(16));
  std::int64_t sum = 0;
  for (auto& e : entries_) {
    e.at = in.get<std::int64_t>();
    e.what = in.get<std::int64_t>();
    sum = wrapped_add(sum, e.what);
    e.sum = sum;
  }
  return in.ok() && entries_.size() <= window_entries_max &&
         std::is_sorted(entries_.begin(), entries_.end(), [](const entry& a, const entry& b) { return a.at < b.at; });
}

} // namespace pulse::rules
