// A tenant's own topic over librdkafka: no group, every partition from the position that was stored. The tenant names
// the brokers, and these name others, so each address is checked when it is connected to.
#pragma once

#include "ports/source_reader.hpp"

namespace pulse {

/// See source_opener. Blocks for up to about ten seconds.
source_result<std::unique_ptr<source_reader>> open_kafka_source(const source_start& start);

} // namespace pulse
