// Data that all tenants' children share: read once at start, immutable.
#pragma once

namespace pulse::slot {

struct shared_data {};

} // namespace pulse::slot
