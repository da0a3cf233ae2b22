// /openapi.json: the description of the public routes, from http/openapi.yaml, which is compiled in.
#pragma once

#include <string>
#include <vector>

#include "http/middleware/message.hpp"

namespace pulse::http {

/// The document as JSON.
const std::string& openapi_document();

std::vector<route> openapi_routes();

/// What parts the routes from the document, both ways: `missing METHOD /path`, `undocumented METHOD /path`, and
/// differences of scope. Empty when they agree. For tests and for the start of a debug build.
std::vector<std::string> compare_with_openapi(const std::vector<route>& routes);

} // namespace pulse::http
