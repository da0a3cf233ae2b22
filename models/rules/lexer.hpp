// The words of a rule: takes a text apart, notes what is no word, never stops early and never throws.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/event/event.hpp"
#include "models/rules/value.hpp"

namespace pulse::rules {

inline constexpr std::size_t expression_bytes_max = 4096;
/// Of one rule; the first ones are enough to mend it.
inline constexpr std::size_t problems_max = 20;

enum class token_kind : std::uint8_t { end, name, text, number, duration, symbol };

struct token {
  token_kind kind = token_kind::end;
  /// Byte in the expression.
  std::size_t at = 0;
  /// A name (with its dots), a symbol, a text without its quotes and escapes.
  std::string text;
  /// Of numbers (millionths) and durations (milliseconds).
  std::int64_t number = 0;
};

/// What is wrong with a rule, and where in its text: line and column from 1, columns in bytes.
struct problem {
  std::string code;
  /// JSON pointer into the document.
  std::string pointer;
  /// Begins with `line 1, column 14: ` where there is a place.
  std::string detail;
  std::size_t line = 0;
  std::size_t column = 0;

  bool operator==(const problem&) const = default;
};

/// Collects the problems of one expression.
class problem_sink {
public:
  problem_sink(std::string_view text, std::string pointer, std::vector<problem>& out) :
    text_(text), pointer_(std::move(pointer)), out_(out), first_(out.size()) {
  }

  void add(std::string_view code, std::size_t at, std::string_view detail);

  bool any() const {
    return out_.size() > first_;
  }

private:
  std::string_view text_;
  std::string pointer_;
  std::vector<problem>& out_;
  std::size_t first_;
};

/// The last token is `end`.
std::vector<token> tokenise(std::string_view text, problem_sink& problems);

} // namespace pulse::rules
