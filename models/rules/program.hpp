// A rule after compilation: a flat program for a small stack machine. It only jumps forward, so the work is bounded by
// its length; it cannot fail, only come upon what is not known.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/rules/input.hpp"
#include "models/rules/value.hpp"

namespace pulse::rules {

inline constexpr std::size_t instructions_max = 1024;
inline constexpr std::size_t stack_max = 64;

enum class op : std::uint8_t {
  constant,
  input,
  compare,
  calculate,
  negate,
  not_true,
  truth,
  /// Leave the left side and jump where it decides, else drop it and go on.
  and_jump,
  or_jump,
  in,
  not_in,
  known,
  lower,
  length,
  absolute,
  smaller,
  larger,
  contains,
  starts_with,
  ends_with,
};

struct instruction {
  op what = op::constant;
  /// A comparison or an arithmetic.
  std::uint8_t detail = 0;
  /// An index into constants, inputs or sets; where a jump goes.
  std::uint32_t arg = 0;
};

struct constant {
  value v;
  /// What v.text points to.
  std::string text;

  value get() const {
    auto out = v;
    if (v.kind == value_kind::text)
      out.text = text;
    return out;
  }
};

/// What `in` looks through: a named list, or values that stand in the rule.
struct member_set {
  std::string list;
  std::vector<constant> items;
};

/// An input that is compared with a constant, or looked for in a set: where a small change of it can turn the rule.
struct hinge {
  std::uint32_t input = 0;
  comparison how = comparison::eq;
  std::vector<constant> against;
  /// Compared with another input instead.
  std::int64_t other_input = -1;
  /// Looked for in this set.
  std::int64_t set = -1;
};

struct program {
  std::vector<instruction> code;
  std::vector<constant> constants;
  /// Index into the rule set's inputs.
  std::vector<std::uint32_t> inputs;
  std::vector<member_set> sets;
  std::vector<hinge> hinges;
};

/// A tenant's lists, as rules look into them.
class list_source {
public:
  virtual ~list_source() = default;

  /// Names the version of all lists.
  virtual const std::string& version() const = 0;

  virtual bool has(std::string_view list) const = 0;
  virtual bool contains(std::string_view list, std::string_view text) const = 0;
};

struct outcome_of_run {
  bool hit = false;
  /// Inputs (of the rule set) and lists that a decision hung on and that were not known, or of a kind or currency that
  /// does not compare.
  std::vector<std::uint32_t> unknown_inputs;
  std::vector<std::string> unknown_lists;
};

/// `inputs`: the values of all inputs of the rule set. `lists` may be null: none are known.
outcome_of_run run(const program& p, std::span<const value> inputs, const list_source* lists);

/// True when the value is in the set (a list or the constants in the rule).
bool is_member(const member_set& set, const value& v, const list_source* lists);

} // namespace pulse::rules
