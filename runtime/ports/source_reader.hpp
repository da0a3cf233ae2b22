// Port: reads a tenant's own topic. Adapter: kafka/kafka_source_reader.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/net.hpp"
#include "models/source/config.hpp"
#include "models/source/progress.hpp"

namespace pulse {

/// Why a source can't be read, for the tenant to see. Codes: `unreachable`, `address_refused`, `authentication`, `tls`,
/// `unknown_topic`, `not_authorized`, `failed`.
struct source_fault {
  std::string code;
  std::string detail;
};

template <class T>
using source_result = std::variant<T, source_fault>;

struct source_start {
  source::kafka_config config;
  /// Of the topic with this id; of another one nothing was read yet.
  std::string topic_id;
  source::positions next;
  /// Private networks that may be reached.
  std::vector<cidr> allow;
};

/// What was read, and where each partition ends as far as the brokers told.
struct source_batch {
  std::vector<source::record> records;
  source::positions ends;
  /// Something the tenant should know although reading goes on: records that were deleted before they were read.
  std::string note;
};

/// One source's connection. Belongs to one thread; every call may block for its limit.
class source_reader {
public:
  virtual ~source_reader() = default;

  virtual const source::origin& origin() const = 0;
  /// Where each partition begins: what was stored, else by `start`.
  virtual const source::positions& begins() const = 0;
  /// At most so many records and about so many bytes (one always); waits up to `wait_ms` for the first.
  virtual source_result<source_batch> read(std::size_t records_max, std::size_t bytes_max, int wait_ms) = 0;
};

/// Connects, finds the topic and starts all its partitions; takes up to about ten seconds.
using source_opener = std::function<source_result<std::unique_ptr<source_reader>>(const source_start&)>;

} // namespace pulse
