// What is most likely a slip in rules that can be published all the same.
#pragma once

#include <vector>

#include "models/rules/lexer.hpp"
#include "models/rules/program.hpp"
#include "models/rules/rule_set.hpp"

namespace pulse::rules {

/// With pointers like those of check_rules. `unknown_list`: a list that `lists` has not (null: there are none), so that
/// the rule's look into it is false. `division_by_zero`: by a literal 0, which is never known. `never_true`: an hour or
/// a weekday compared with what it never is; not looked for in drafts.
std::vector<problem> warnings_of(const rule_set& set, const list_source* lists);

} // namespace pulse::rules
