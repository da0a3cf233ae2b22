// Refusals with every problem and its place, as 422.
#pragma once

#include <vector>

#include "http/middleware/message.hpp"
#include "models/event/event.hpp"
#include "models/query/request.hpp"

namespace pulse::http {

response refused_question(const query::problems& found);
response refused_mapping(const std::vector<note>& problems);

} // namespace pulse::http
