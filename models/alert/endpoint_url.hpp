// What an endpoint's URL must look like when it is created. Where it leads is checked at every connect, not here: a
// name may lead elsewhere tomorrow. Pure.
#pragma once

#include <string_view>

#include "base/error.hpp"

namespace pulse::alert {

/// http or https with a host, at most 2,048 printable ASCII characters, without user name (it would stand in logs) and
/// without fragment. `invalid` with the pointer `/url` otherwise.
result<void> check_endpoint_url(std::string_view url);

} // namespace pulse::alert
