// Compiles the text of a rule into a flat program, checking types on the way. Every problem is told with its place.
#pragma once

#include <string_view>
#include <vector>

#include "models/rules/lexer.hpp"
#include "models/rules/program.hpp"

namespace pulse::rules {

/// Parentheses, `not` and `-` within each other.
inline constexpr std::size_t depth_max = 32;
/// Different nouns and windows over all rules of a set, and different windows.
inline constexpr std::size_t inputs_max = 256;
inline constexpr std::size_t windows_max = 64;

/// The inputs that the rules of a set share; each is looked up once an event.
struct input_table {
  std::vector<input> all;

  /// Its index; nothing when the table is full.
  std::optional<std::uint32_t> add(const input& i);
};

/// The grammar, loosest first:
///   or, and, not, one comparison (== != < <= > >= , [not] in list("name") or in ("a", "b")), + -, * /, unary -,
///   numbers, `500 EUR`, `24h`, "text", true, false, nouns (see input.hpp), calls, parentheses.
/// Calls: velocity(entity, window[, filter]), count (the same), sum(entity, window[, filter]),
///   distinct(what, entity, window[, filter]), known(x), lower(t), length(t), abs(n), min(a, b), max(a, b),
///   contains(t, t), starts_with(t, t), ends_with(t, t).
/// The program is empty when there were problems.
program compile_expression(std::string_view text, input_table& inputs, problem_sink& problems);

} // namespace pulse::rules
