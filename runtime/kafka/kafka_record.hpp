// A record of the log as Kafka has it: key tenant/entity, the JSON as value, the rest in headers (tenant, schema,
// traceparent, source, epoch), so that other people's consumers can read it. Inner to kafka/.
#pragma once

#include <memory>

#include "kafka/kafka_client.hpp"

namespace pulse::kafka {

/// Version of the values and headers, for readers of the topics.
inline constexpr const char* schema_version = "1";

std::size_t size_of(const log_entry& entry);

using headers_ptr = std::unique_ptr<rd_kafka_headers_t, freed_by<rd_kafka_headers_destroy>>;
headers_ptr headers_of(const log_entry& entry);

/// Error: `corrupt` for a record without a tenant.
result<log_record> to_record(const rd_kafka_message_t& message);

} // namespace pulse::kafka
