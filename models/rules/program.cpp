#include "models/rules/program.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>

namespace pulse::rules {

namespace {

/// A value on the stack, and the input it came from alone (or -1), for telling what was not known.
struct cell {
  value v;
  std::int64_t input = -1;
};

class machine {
public:
  machine(const program& p, std::span<const value> inputs, const list_source* lists) :
    program_(p), inputs_(inputs), lists_(lists) {
  }

  outcome_of_run run() {
    for (std::size_t at = 0; at < program_.code.size();)
      at = step(program_.code[at], at);
    out_.hit = top_ == 1 && stack_[0].v.is_true();
    return std::move(out_);
  }

private:
  void push(value v, std::int64_t input = -1) {
    stack_[top_++] = {v, input};
  }

  cell pop() {
    return stack_[--top_];
  }

  void missing(const cell& c) {
    if (c.input < 0 || c.v.known())
      return;
    const auto input = static_cast<std::uint32_t>(c.input);
    auto& known = out_.unknown_inputs;
    if (std::find(known.begin(), known.end(), input) == known.end())
      known.push_back(input);
  }

  std::size_t step(const instruction& i, std::size_t at) {
    switch (i.what) {
      case op::constant: push(program_.constants[i.arg].get()); break;
      case op::input: push(inputs_[i.arg], i.arg); break;
      case op::compare: compare_top(static_cast<comparison>(i.detail)); break;
      case op::calculate: calculate_top(static_cast<arithmetic>(i.detail)); break;
      case op::negate: negate(); break;
      case op::not_true: stack_[top_ - 1] = {value::of(!stack_[top_ - 1].v.is_true()), -1}; break;
      case op::truth:
        missing(stack_[top_ - 1]);
        stack_[top_ - 1] = {value::of(stack_[top_ - 1].v.is_true()), -1};
        break;
      case op::and_jump:
      case op::or_jump:
        if (stack_[top_ - 1].v.is_true() == (i.what == op::or_jump))
          return i.arg;
        --top_;
        break;
      case op::in:
      case op::not_in: look_up(program_.sets[i.arg], i.what == op::in); break;
      case op::known: stack_[top_ - 1] = {value::of(stack_[top_ - 1].v.known()), -1}; break;
      default: call(i.what); break;
    }
    return at + 1;
  }

  /// What came of unknown operands remembers one of them, so that the comparison at the end can say which.
  static std::int64_t blame(const cell& a, const cell& b) {
    return !a.v.known() && a.input >= 0 ? a.input : !b.v.known() ? b.input : -1;
  }

  void compare_top(comparison how) {
    const auto b = pop(), a = pop();
    missing(a);
    missing(b);
    if (a.v.known() && b.v.known() && !comparable(a.v, b.v))
      for (const auto& c : {a, b})
        missing({{}, c.input});
    push(value::of(compare(how, a.v, b.v)));
  }

  void calculate_top(arithmetic how) {
    const auto b = pop(), a = pop();
    push(calculate(how, a.v, b.v), blame(a, b));
  }

  void negate() {
    const auto a = pop();
    push(calculate(arithmetic::mul, a.v, value::whole(-1)), a.input);
  }

  void look_up(const member_set& set, bool wanted) {
    const auto a = pop();
    missing(a);
    const bool list_known = set.list.empty() || (lists_ != nullptr && lists_->has(set.list));
    if (!list_known &&
        std::find(out_.unknown_lists.begin(), out_.unknown_lists.end(), set.list) == out_.unknown_lists.end())
      out_.unknown_lists.push_back(set.list);
    push(value::of(list_known && a.v.known() && is_member(set, a.v, lists_) == wanted));
  }

  void call(op what) {
    const bool two = what != op::lower && what != op::length && what != op::absolute;
    const auto b = two ? pop() : cell{};
    const auto a = pop();
    push(called(what, a.v, b.v), two ? blame(a, b) : a.input);
  }

  value called(op what, const value& a, const value& b) {
    const bool texts = a.kind == value_kind::text && b.kind == value_kind::text;
    switch (what) {
      case op::lower: return a.kind == value_kind::text ? value::of(lowered(a.text)) : value{};
      case op::length:
        return a.kind == value_kind::text ? value::whole(static_cast<std::int64_t>(a.text.size())) : value{};
      case op::absolute: return a.number < 0 ? calculate(arithmetic::mul, a, value::whole(-1)) : a;
      case op::smaller: return !comparable(a, b) ? value{} : compare(comparison::le, a, b) ? a : b;
      case op::larger: return !comparable(a, b) ? value{} : compare(comparison::ge, a, b) ? a : b;
      case op::contains: return texts ? value::of(a.text.find(b.text) != std::string_view::npos) : value{};
      case op::starts_with: return texts ? value::of(a.text.starts_with(b.text)) : value{};
      case op::ends_with: return texts ? value::of(a.text.ends_with(b.text)) : value{};
      default: return {};
    }
  }

  /// ASCII letters; other bytes stay.
  std::string_view lowered(std::string_view text) {
    auto& out = made_.emplace_back(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
  }

  const program& program_;
  std::span<const value> inputs_;
  const list_source* lists_;
  std::array<cell, stack_max> stack_;
  std::size_t top_ = 0;
  std::deque<std::string> made_;
  outcome_of_run out_;
};

} // namespace

bool is_member(const member_set& set, const value& v, const list_source* lists) {
  if (set.list.empty())
    return std::any_of(set.items.begin(), set.items.end(),
                       [&](const constant& c) { return compare(comparison::eq, v, c.get()); });
  if (lists == nullptr)
    return false;
  return v.kind == value_kind::text ? lists->contains(set.list, v.text) : lists->contains(set.list, describe(v));
}

outcome_of_run run(const program& p, std::span<const value> inputs, const list_source* lists) {
  return machine(p, inputs, lists).run();
}

} // namespace pulse::rules
