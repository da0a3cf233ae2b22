// Fuzzes what reads rules: any text is a rule, a document of rules or lists, or a list of reasons why not; and what
// compiles runs to its end on anything.
#include <cstdlib>

#include "models/rules/lists.hpp"
#include "models/rules/rule_set.hpp"

using namespace pulse;
using namespace pulse::rules;

namespace {

void must(bool holds) {
  if (!holds)
    std::abort();
}

/// Values of every kind in turn.
std::vector<value> some_values(std::size_t n, std::size_t first) {
  const value kinds[] = {{},
                         value::of(true),
                         value::of(std::string_view("GB")),
                         value::micro(INT64_MAX),
                         value::micro(-INT64_MAX),
                         value::money_micro(5'000'000, *parse_currency("EUR")),
                         value::duration(0),
                         value::whole(0)};
  std::vector<value> out;
  for (std::size_t i = 0; i < n; ++i)
    out.push_back(kinds[(first + i) % std::size(kinds)]);
  return out;
}

void one_rule(std::string_view text) {
  std::vector<problem> problems;
  problem_sink sink(text, "", problems);
  input_table inputs;
  const auto compiled = compile_expression(text, inputs, sink);
  must(problems.size() <= problems_max);
  must(compiled.code.empty() == !problems.empty());
  for (const auto& p : problems)
    must(p.line >= 1 && p.column >= 1 && !p.code.empty());
  for (std::size_t first = 0; first < 8; ++first)
    run(compiled, some_values(inputs.all.size(), first), nullptr);
}

void one_document(std::string_view text) {
  const auto set = rule_set::compile(text);
  must(set.ok() == check_rules(text).empty());
  if (set) {
    const auto again = rule_set::compile((*set)->canonical());
    must(again.ok() && (*again)->id() == (*set)->id());
  }
  const auto lists = compiled_lists::compile(text);
  must(lists.ok() == check_lists(text).empty());
  if (lists) {
    const auto again = compiled_lists::compile((*lists)->canonical());
    must(again.ok() && (*again)->id() == (*lists)->id());
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with("{"))
    one_document(text);
  else
    one_rule(text);
  return 0;
}
