// The parser's own class. Inner to parser*.cpp.
#pragma once

#include "models/rules/parser.hpp"

namespace pulse::rules {

/// What a part of the text leaves on the stack: its type, and the one input or constant it is, if it is just that.
struct operand {
  type of = type::bad;
  std::int64_t input = -1;
  std::int64_t constant = -1;
};

class parser {
public:
  parser(std::vector<token> tokens, input_table& inputs, problem_sink& problems) :
    tokens_(std::move(tokens)), inputs_(inputs), problems_(problems) {
  }

  program run();

private:
  /// One level of nesting, counted while it lives; too many end the parse.
  class depth_guard {
  public:
    explicit depth_guard(parser& p) : parser_(p) {
      if (++parser_.depth_ > depth_max)
        parser_.stop("too_deep", "parentheses, `not` and `-` stand in each other too deeply here");
    }
    ~depth_guard() {
      --parser_.depth_;
    }
    depth_guard(const depth_guard&) = delete;
    depth_guard& operator=(const depth_guard&) = delete;

  private:
    parser& parser_;
  };

  const token& here() const {
    return tokens_[next_];
  }

  bool is(std::string_view word) const;
  bool take(std::string_view word);
  void want(std::string_view symbol, std::string_view where);
  void emit(op what, std::uint8_t detail = 0, std::uint32_t arg = 0);
  void grow(std::size_t by);
  void stop(std::string_view code, std::string_view detail);

  operand parse_logic(op jump, std::string_view word, operand (parser::*inner)());
  operand parse_or();
  operand parse_and();
  operand parse_not();
  operand parse_comparison();
  operand parse_in(const operand& left);
  void parse_members(member_set& set, const operand& left);
  operand parse_sum();
  operand parse_product();
  operand parse_unary();
  operand parse_primary();
  operand parse_name();
  operand parse_call(const token& name);
  operand parse_function(const token& name);
  operand parse_window(const token& name);

  std::optional<comparison> take_comparison();
  void check_comparison(const operand& left, const operand& right, comparison how, std::size_t at);
  type result_of(arithmetic how, type a, type b, std::size_t at);
  operand calculated(arithmetic how, const operand& a, const operand& b, std::size_t at);
  /// A literal here, with its type; moves on. Nothing: there is none.
  std::optional<std::pair<constant, type>> read_literal();
  std::optional<entity> read_entity();
  std::optional<std::int64_t> read_width();
  bool read_filter(window_spec& spec);
  /// To the end of the call's parentheses, after an error inside.
  void skip_call();
  operand push_constant(constant c, type of);
  operand push_input(const input& i, std::size_t at);
  void truth(const operand& o, std::size_t at);
  hinge& add_hinge(const operand& o, comparison how, std::vector<constant> against);
  void note_hinge(const operand& left, const operand& right, comparison how);

  std::vector<token> tokens_;
  input_table& inputs_;
  problem_sink& problems_;
  program out_;
  std::size_t next_ = 0;
  std::size_t depth_ = 0;
  std::size_t height_ = 0;
  bool stopped_ = false;
};

} // namespace pulse::rules
