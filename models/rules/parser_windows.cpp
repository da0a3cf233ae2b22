// Calls of windows; see parser.cpp.
#include <fmt/format.h>

#include "models/rules/parser_inner.hpp"

namespace pulse::rules {

std::optional<entity> parser::read_entity() {
  const auto& t = here();
  const auto found = t.kind == token_kind::name ? parse_entity(t.text) : std::nullopt;
  if (found)
    ++next_;
  else
    problems_.add("unknown_entity", t.at, "one of customer, card, device, ip, email_domain, address, email is wanted");
  return found;
}

std::optional<std::int64_t> parser::read_width() {
  const auto t = here();
  if (t.kind != token_kind::duration) {
    problems_.add("bad_window", t.at, "a window is wanted, such as 1m, 1h, 24h, 7d or 30d");
    return std::nullopt;
  }
  ++next_;
  if (t.number < window_min_ms || t.number > window_max_ms) {
    problems_.add("bad_window", t.at, "a window lasts from 1 minute to 30 days");
    return std::nullopt;
  }
  if (t.number > exact_max_ms && t.number % hour_ms != 0) {
    problems_.add("bad_window", t.at, "a window of more than 24 hours lasts whole hours");
    return std::nullopt;
  }
  return t.number;
}

bool parser::read_filter(window_spec& spec) {
  const auto t = here();
  static constexpr std::pair<std::string_view, filter> words[] = {
      {"any", filter::any}, {"orders", filter::orders}, {"refunds", filter::refunds}, {"declined", filter::declined}};
  if (t.kind == token_kind::text && !t.text.empty()) {
    spec.filter = filter::name;
    spec.event_name = t.text;
    ++next_;
    return true;
  }
  for (const auto& [word, what] : words)
    if (t.kind == token_kind::name && t.text == word) {
      spec.filter = what;
      ++next_;
      return true;
    }
  problems_.add("unknown_filter", t.at, "one of orders, refunds, declined, any or an event's name in quotes is wanted");
  return false;
}

void parser::skip_call() {
  std::size_t open = 1;
  while (open > 0 && here().kind != token_kind::end) {
    open += is("(") ? 1 : 0;
    open -= is(")") ? 1 : 0;
    ++next_;
  }
}

operand parser::parse_window(const token& name) {
  window_spec spec;
  spec.measure = name.text == "sum" ? measure::sum : name.text == "distinct" ? measure::distinct : measure::count;
  if (spec.measure == measure::distinct) {
    const auto what = read_entity();
    if (!what) {
      skip_call();
      return {};
    }
    spec.what = *what;
    want(",", "in `distinct(what, entity, window)`");
  }
  const auto of = read_entity();
  if (of)
    want(",", fmt::format("in `{}`: an entity, then a window", name.text));
  const auto width = of ? read_width() : std::nullopt;
  if (!of || !width) {
    skip_call();
    return {};
  }
  spec.of = *of;
  if (take(",") && !read_filter(spec)) {
    skip_call();
    return {};
  }
  if (!is(")")) {
    want(")", fmt::format("after what `{}` is given", name.text));
    skip_call();
    return {};
  }
  ++next_;
  return push_input(make_window(std::move(spec), *width), name.at);
}

} // namespace pulse::rules
