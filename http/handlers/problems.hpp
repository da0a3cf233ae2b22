// Refusals with every problem and its place: 422, and 400 for a document that is no JSON.
#pragma once

#include <vector>

#include "http/middleware/message.hpp"
#include "models/event/event.hpp"
#include "models/query/request.hpp"
#include "models/rules/lexer.hpp"

namespace pulse::http {

response refused_question(const query::problems& found);
std::vector<note> as_notes(const std::vector<rules::problem>& problems);
/// `kind`: mapping, rules, lists, detectors.
response refused_document(std::string_view kind, const std::vector<note>& problems);

} // namespace pulse::http
