// A tenant's state moved to another log. Offsets count from the start of their log, and the state remembers some: which
// event showed an id first, which entity was updated longest ago. In the new log all of that lies before the first
// record.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "models/slot/types.hpp"

namespace pulse::slot {

/// The same images for a log that has no record of the tenant yet: as of -1, and every offset in them below 0 in the
/// order in which they were. `as_of`: the mark that the images are whole at (ledger.image_as_of); each is as of it or
/// of an offset before. Errors: `corrupt` with the chunk.
result<std::vector<chunk_image>> rebased(const std::vector<chunk_image>& images, log_offset as_of);

} // namespace pulse::slot
