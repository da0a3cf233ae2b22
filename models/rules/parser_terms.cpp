// Sums, literals, nouns and calls; see parser.cpp.
#include <algorithm>
#include <fmt/format.h>

#include "models/rules/parser_inner.hpp"

namespace pulse::rules {

namespace {

struct function {
  std::string_view name;
  op what;
  std::size_t arguments;
  type takes;
  type gives;
};

/// `any` as what it takes: anything, and gives `bad`: the same as it was given.
constexpr function functions[] = {
    {"known", op::known, 1, type::any, type::boolean},
    {"lower", op::lower, 1, type::text, type::text},
    {"length", op::length, 1, type::text, type::number},
    {"abs", op::absolute, 1, type::number, type::bad},
    {"min", op::smaller, 2, type::number, type::bad},
    {"max", op::larger, 2, type::number, type::bad},
    {"contains", op::contains, 2, type::text, type::boolean},
    {"starts_with", op::starts_with, 2, type::text, type::boolean},
    {"ends_with", op::ends_with, 2, type::text, type::boolean},
};

constexpr std::string_view window_calls[] = {"velocity", "count", "sum", "distinct"};

bool is_amount(type t) {
  return t == type::number || t == type::money;
}

/// Names that have a meaning of their own.
bool is_reserved(std::string_view name) {
  static constexpr std::string_view words[] = {"and", "or", "not", "in", "list"};
  return std::find(std::begin(words), std::end(words), name) != std::end(words);
}

} // namespace

operand parser::parse_sum() {
  auto left = parse_product();
  while (is("+") || is("-")) {
    const auto how = is("+") ? arithmetic::add : arithmetic::sub;
    const auto at = here().at;
    ++next_;
    left = calculated(how, left, parse_product(), at);
  }
  return left;
}

operand parser::parse_product() {
  auto left = parse_unary();
  while (is("*") || is("/")) {
    const auto how = is("*") ? arithmetic::mul : arithmetic::div;
    const auto at = here().at;
    ++next_;
    left = calculated(how, left, parse_unary(), at);
  }
  return left;
}

type parser::result_of(arithmetic how, type a, type b, std::size_t at) {
  if (a == type::bad || b == type::bad)
    return type::bad;
  if (a == type::any || b == type::any)
    return type::any;
  const bool scaling = how == arithmetic::mul || how == arithmetic::div;
  const auto numeric = [](type t) {
    return is_amount(t) || t == type::duration;
  };
  if (numeric(a) && numeric(b)) {
    if (scaling && b == type::number)
      return a;
    if (how == arithmetic::mul && a == type::number)
      return b;
    if (how == arithmetic::div && a == b)
      return type::number;
    if (!scaling && a == b)
      return a;
    if (!scaling && is_amount(a) && is_amount(b))
      return type::money;
  }
  static constexpr std::string_view words[] = {"added to", "subtracted from", "multiplied by", "divided by"};
  const bool swapped = how == arithmetic::sub;
  problems_.add("wrong_type", at,
                fmt::format("{} cannot be {} {}", to_string(swapped ? b : a), words[static_cast<std::size_t>(how)],
                            to_string(swapped ? a : b)));
  return type::bad;
}

operand parser::calculated(arithmetic how, const operand& a, const operand& b, std::size_t at) {
  const auto of = result_of(how, a.of, b.of, at);
  emit(op::calculate, static_cast<std::uint8_t>(how));
  height_ -= std::min<std::size_t>(height_, 1);
  return {of};
}

operand parser::parse_unary() {
  if (!is("-"))
    return parse_primary();
  const auto at = here().at;
  const depth_guard guard(*this);
  take("-");
  const auto inner = parse_unary();
  if (inner.of == type::boolean || inner.of == type::text)
    problems_.add("wrong_type", at, fmt::format("{} has no negative", to_string(inner.of)));
  if (inner.constant >= 0 && !stopped_) {
    auto& c = out_.constants[static_cast<std::size_t>(inner.constant)];
    c.v = calculate(arithmetic::mul, c.v, value::whole(-1));
    return inner;
  }
  emit(op::negate);
  return {inner.of};
}

std::optional<std::pair<constant, type>> parser::read_literal() {
  const auto& t = here();
  switch (t.kind) {
    case token_kind::text: ++next_; return std::pair{constant{value::of(std::string_view{}), t.text}, type::text};
    case token_kind::duration: ++next_; return std::pair{constant{value::duration(t.number), {}}, type::duration};
    case token_kind::number: break;
    case token_kind::name:
      if (t.text != "true" && t.text != "false")
        return std::nullopt;
      ++next_;
      return std::pair{constant{value::of(t.text == "true"), {}}, type::boolean};
    default: return std::nullopt;
  }
  ++next_;
  const auto& unit = here();
  const bool capitals = unit.kind == token_kind::name && unit.text.size() == 3 &&
                        std::all_of(unit.text.begin(), unit.text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!capitals)
    return std::pair{constant{value::micro(t.number), {}}, type::number};
  ++next_;
  return std::pair{constant{value::money_micro(t.number, *parse_currency(unit.text)), {}}, type::money};
}

operand parser::push_constant(constant c, type of) {
  grow(1);
  const auto index = out_.constants.size();
  out_.constants.push_back(std::move(c));
  emit(op::constant, 0, static_cast<std::uint32_t>(index));
  return {of, -1, static_cast<std::int64_t>(index)};
}

operand parser::push_input(const input& i, std::size_t at) {
  const auto index = inputs_.add(i);
  if (!index) {
    problems_.add("too_many", at,
                  fmt::format("all rules together ask for at most {} nouns and {} windows", inputs_max, windows_max));
    return {};
  }
  grow(1);
  emit(op::input, 0, *index);
  if (std::find(out_.inputs.begin(), out_.inputs.end(), *index) == out_.inputs.end())
    out_.inputs.push_back(*index);
  return {i.type, *index};
}

operand parser::parse_primary() {
  if (auto literal = read_literal())
    return push_constant(std::move(literal->first), literal->second);
  if (is("(")) {
    const depth_guard guard(*this);
    take("(");
    const auto inner = parse_or();
    want(")", "here");
    return inner;
  }
  if (here().kind == token_kind::name && !is_reserved(here().text))
    return parse_name();
  if (stopped_)
    return {};
  const auto& t = here();
  problems_.add("unexpected", t.at,
                t.kind == token_kind::end ? "the rule ends where a value is wanted"
                                          : fmt::format("a value is wanted here, not `{}`", t.text));
  // A bracket or comma that is left over would be told of again at every level.
  if (t.kind == token_kind::symbol && t.text != ")" && t.text != "]" && t.text != ",")
    ++next_;
  return {};
}

operand parser::parse_name() {
  const auto name = here();
  ++next_;
  if (is("("))
    return parse_call(name);
  if (const auto found = find_input(name.text))
    return push_input(*found, name.at);
  const auto near = nearest_input(name.text);
  problems_.add("unknown_name", name.at,
                near.empty()
                    ? fmt::format("`{}` is nothing that a rule knows; a property of your own is `properties.{}`",
                                  name.text, name.text)
                    : fmt::format("`{}` is nothing that a rule knows; did you mean `{}`?", name.text, near));
  return {};
}

operand parser::parse_call(const token& name) {
  const depth_guard guard(*this);
  take("(");
  if (std::find(std::begin(window_calls), std::end(window_calls), name.text) != std::end(window_calls))
    return parse_window(name);
  return parse_function(name);
}

operand parser::parse_function(const token& name) {
  const auto found =
      std::find_if(std::begin(functions), std::end(functions), [&](const function& f) { return f.name == name.text; });
  if (found == std::end(functions)) {
    problems_.add("unknown_name", name.at, fmt::format("there is no function `{}`", name.text));
    skip_call();
    return {};
  }
  auto gives = found->gives;
  for (std::size_t i = 0; i < found->arguments; ++i) {
    if (i > 0)
      want(",", fmt::format("in `{}`, which takes {} values", name.text, found->arguments));
    const auto at = here().at;
    const auto given = parse_or();
    const bool fits = given.of == type::bad || given.of == type::any || found->takes == type::any ||
                      given.of == found->takes ||
                      (found->takes == type::number && (given.of == type::money || given.of == type::duration));
    if (!fits)
      problems_.add("wrong_type", at,
                    fmt::format("`{}` takes {}, not {}", name.text, to_string(found->takes), to_string(given.of)));
    if (found->gives == type::bad && (i == 0 || gives == type::number))
      gives = given.of;
  }
  want(")", fmt::format("after what `{}` is given", name.text));
  emit(found->what);
  if (found->arguments == 2)
    height_ -= std::min<std::size_t>(height_, 1);
  return {gives};
}

} // namespace pulse::rules
