// What every tenant's stages share and the node reads at its start: countries, geo, the pooled model.
#pragma once

#include <memory>

#include "base/error.hpp"
#include "models/slot/shared_data.hpp"
#include "settings/settings.hpp"

namespace pulse {

/// A file that is missing is said in the log and done without; one that cannot be read is an error.
result<std::shared_ptr<const slot::shared_data>> read_shared_data(const settings& s);

} // namespace pulse
