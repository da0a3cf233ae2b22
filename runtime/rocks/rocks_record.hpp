// How a record of the log lies in RocksDB: its key, which sorts as the log does, and its value. Inner to rocks/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ports/event_log.hpp"

namespace pulse {

/// 21 bytes, big-endian: topic, generation, slot, offset.
std::string rocks_key(log_topic topic, log_generation generation, slot_id slot, log_offset offset);

/// The offset in a key that rocks_key made.
log_offset rocks_key_offset(std::string_view key);

/// Appends a value, version 1: tenant, epoch, then key, value, traceparent and source with their lengths,
/// little-endian. RocksDB's own checksums guard the bytes.
void encode_rocks_record(const log_entry& entry, std::string& out);

/// Error: `corrupt`.
result<log_entry> decode_rocks_record(std::string_view bytes);

} // namespace pulse
