// Recursive descent in one pass: each function leaves one value on the machine's stack and says of what type it is.
#include "models/rules/parser.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "models/rules/parser_inner.hpp"

namespace pulse::rules {

namespace {

constexpr std::pair<std::string_view, comparison> comparisons[] = {
    {"==", comparison::eq}, {"!=", comparison::ne}, {"<", comparison::lt},
    {"<=", comparison::le}, {">", comparison::gt},  {">=", comparison::ge},
};

bool is_amount(type t) {
  return t == type::number || t == type::money;
}

bool can_compare(type a, type b) {
  return a == b || a == type::any || b == type::any || (is_amount(a) && is_amount(b));
}

bool has_order(type t) {
  return is_amount(t) || t == type::duration || t == type::any || t == type::bad;
}

comparison mirrored(comparison how) {
  switch (how) {
    case comparison::lt: return comparison::gt;
    case comparison::le: return comparison::ge;
    case comparison::gt: return comparison::lt;
    case comparison::ge: return comparison::le;
    default: return how;
  }
}

} // namespace

std::optional<std::uint32_t> input_table::add(const input& i) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const input& known) { return known.name == i.name; });
  if (found != all.end())
    return static_cast<std::uint32_t>(found - all.begin());
  const auto windows =
      std::count_if(all.begin(), all.end(), [](const input& k) { return k.kind == input_kind::window; });
  if (all.size() >= inputs_max || (i.kind == input_kind::window && windows >= static_cast<std::ptrdiff_t>(windows_max)))
    return std::nullopt;
  all.push_back(i);
  return static_cast<std::uint32_t>(all.size() - 1);
}

program parser::run() {
  if (tokens_.front().kind == token_kind::end) {
    problems_.add("missing", 0, "a rule needs a condition");
    return {};
  }
  const auto whole = parse_or();
  if (!stopped_ && here().kind != token_kind::end)
    problems_.add("unexpected", here().at,
                  fmt::format("`{}` was not expected here; join conditions by `and` or `or`", here().text));
  truth(whole, 0);
  return problems_.any() ? program{} : std::move(out_);
}

void parser::emit(op what, std::uint8_t detail, std::uint32_t arg) {
  if (out_.code.size() >= instructions_max)
    return stop("too_long", fmt::format("a rule has at most {} steps", instructions_max));
  out_.code.push_back({what, detail, arg});
}

/// Follows how high the stack grows.
void parser::grow(std::size_t by) {
  height_ += by;
  if (height_ > stack_max)
    stop("too_deep", "too many values wait for each other here; split the rule");
}

void parser::stop(std::string_view code, std::string_view detail) {
  if (!stopped_)
    problems_.add(code, here().at, detail);
  stopped_ = true;
  next_ = tokens_.size() - 1;
}

bool parser::take(std::string_view word) {
  if (!is(word))
    return false;
  ++next_;
  return true;
}

bool parser::is(std::string_view word) const {
  const auto& t = here();
  return (t.kind == token_kind::symbol || t.kind == token_kind::name) && t.text == word;
}

void parser::want(std::string_view symbol, std::string_view where) {
  if (!take(symbol) && !stopped_)
    problems_.add("unexpected", here().at, fmt::format("`{}` is missing {}", symbol, where));
}

void parser::truth(const operand& o, std::size_t at) {
  if (o.of == type::bad || stopped_)
    return;
  if (o.of != type::boolean && o.of != type::any)
    problems_.add("wrong_type", at,
                  fmt::format("this is {}; a condition is wanted, such as `{} > 5`", to_string(o.of),
                              o.input >= 0 ? inputs_.all[static_cast<std::size_t>(o.input)].name : "amount"));
  emit(op::truth);
  if (o.input >= 0)
    add_hinge(o, comparison::eq, {}).against.push_back({value::of(true), {}});
}

operand parser::parse_logic(op jump, std::string_view word, operand (parser::*inner)()) {
  auto at = here().at;
  auto left = (this->*inner)();
  if (!is(word))
    return left;
  std::vector<std::size_t> jumps;
  truth(left, at);
  while (take(word)) {
    jumps.push_back(out_.code.size());
    emit(jump);
    // The left side is dropped where the right one is worked out.
    height_ -= std::min<std::size_t>(height_, 1);
    at = here().at;
    truth((this->*inner)(), at);
  }
  for (auto j : jumps)
    if (j < out_.code.size())
      out_.code[j].arg = static_cast<std::uint32_t>(out_.code.size());
  return {type::boolean};
}

operand parser::parse_or() {
  return parse_logic(op::or_jump, "or", &parser::parse_and);
}

operand parser::parse_and() {
  return parse_logic(op::and_jump, "and", &parser::parse_not);
}

operand parser::parse_not() {
  if (!is("not"))
    return parse_comparison();
  const depth_guard guard(*this);
  take("not");
  const auto at = here().at;
  truth(parse_not(), at);
  emit(op::not_true);
  return {type::boolean};
}

operand parser::parse_comparison() {
  const auto left = parse_sum();
  if (is("in") || (is("not") && tokens_[next_ + 1].text == "in"))
    return parse_in(left);
  const auto how = take_comparison();
  if (!how)
    return left;
  const auto at = tokens_[next_ - 1].at;
  const auto right = parse_sum();
  check_comparison(left, right, *how, at);
  emit(op::compare, static_cast<std::uint8_t>(*how));
  height_ -= std::min<std::size_t>(height_, 1);
  note_hinge(left, right, *how);
  if (take_comparison()) {
    problems_.add("unexpected", tokens_[next_ - 1].at, "comparisons do not chain: write `a < b and b < c`");
    parse_sum();
  }
  return {type::boolean};
}

std::optional<comparison> parser::take_comparison() {
  for (const auto& [symbol, how] : comparisons)
    if (take(symbol))
      return how;
  return std::nullopt;
}

void parser::check_comparison(const operand& left, const operand& right, comparison how, std::size_t at) {
  if (left.of == type::bad || right.of == type::bad)
    return;
  if (!can_compare(left.of, right.of))
    problems_.add("wrong_type", at,
                  fmt::format("{} cannot be compared with {}", to_string(left.of), to_string(right.of)));
  else if (how != comparison::eq && how != comparison::ne && !(has_order(left.of) && has_order(right.of)))
    problems_.add("wrong_type", at,
                  fmt::format("{} has no order; use == or !=", to_string(has_order(left.of) ? right.of : left.of)));
}

hinge& parser::add_hinge(const operand& o, comparison how, std::vector<constant> against) {
  hinge h;
  h.input = static_cast<std::uint32_t>(o.input);
  h.how = how;
  h.against = std::move(against);
  return out_.hinges.emplace_back(std::move(h));
}

void parser::note_hinge(const operand& left, const operand& right, comparison how) {
  if (left.input >= 0 && right.constant >= 0)
    add_hinge(left, how, {out_.constants[static_cast<std::size_t>(right.constant)]});
  else if (right.input >= 0 && left.constant >= 0)
    add_hinge(right, mirrored(how), {out_.constants[static_cast<std::size_t>(left.constant)]});
  else if (left.input >= 0 && right.input >= 0)
    add_hinge(left, how, {}).other_input = right.input;
}

operand parser::parse_in(const operand& left) {
  const bool wanted = !take("not");
  const auto at = here().at;
  take("in");
  member_set set;
  if (take("list")) {
    want("(", "after `list`");
    if (here().kind == token_kind::text || here().kind == token_kind::name) {
      set.list = here().text;
      ++next_;
    }
    if (set.list.empty())
      problems_.add("missing", here().at, "the name of a list is wanted, as in list(\"blocked_cards\")");
    want(")", "after the name of the list");
    if (left.of != type::bad && left.of != type::text && left.of != type::any && left.of != type::number)
      problems_.add("wrong_type", at,
                    fmt::format("{} is in no list; lists hold texts and numbers", to_string(left.of)));
  } else {
    parse_members(set, left);
  }
  const auto index = static_cast<std::uint32_t>(out_.sets.size());
  out_.sets.push_back(std::move(set));
  emit(wanted ? op::in : op::not_in, 0, index);
  if (left.input >= 0)
    add_hinge(left, wanted ? comparison::eq : comparison::ne, out_.sets.back().items).set = index;
  return {type::boolean};
}

void parser::parse_members(member_set& set, const operand& left) {
  const bool round = is("(");
  if (!take("(") && !take("[")) {
    problems_.add("unexpected", here().at, "after `in` comes list(\"name\") or values in parentheses");
    parse_sum();
    return;
  }
  do {
    const auto at = here().at;
    const bool negative = take("-");
    const auto found = read_literal();
    if (!found) {
      problems_.add("unexpected", at, "only texts, numbers, money and durations stand in the parentheses after `in`");
      break;
    }
    auto item = found->first;
    if (negative)
      item.v = calculate(arithmetic::mul, item.v, value::whole(-1));
    if (left.of != type::bad && found->second != type::bad && !can_compare(left.of, found->second))
      problems_.add("wrong_type", at,
                    fmt::format("{} cannot be compared with {}", to_string(left.of), to_string(found->second)));
    set.items.push_back(std::move(item));
  } while (take(","));
  want(round ? ")" : "]", "after the values");
}

program compile_expression(std::string_view text, input_table& inputs, problem_sink& problems) {
  if (text.size() > expression_bytes_max) {
    problems.add("too_large", 0, fmt::format("a condition has at most {} bytes", expression_bytes_max));
    return {};
  }
  return parser(tokenise(text, problems), inputs, problems).run();
}

} // namespace pulse::rules
