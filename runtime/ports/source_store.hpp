// Port: a tenant's sources, as their owner changes them and as the one who reads them works on them. All calls block;
// one object a thread. Another tenant's is `not_found`. Adapter: postgres/source_store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/source/config.hpp"
#include "models/source/progress.hpp"

namespace pulse {

struct source_position {
  std::int32_t partition = 0;
  std::int64_t next = 0;
  /// Where the partition ends, as it was known lately.
  std::int64_t end = 0;
};

struct source_record {
  uuid id;
  source::kafka_config config;
  bool paused = false;
  source::status status;
  std::string status_at;
  std::int64_t accepted = 0;
  std::int64_t refused = 0;
  std::string last_record_at;
  std::string created_at;
  std::vector<source_position> positions;
};

struct source_change {
  /// The whole of it, secrets included.
  source::kafka_config config;
  bool paused = false;
};

/// A source that was claimed to be read.
struct claimed_source {
  /// Raised by every change: another number is another source to read.
  std::int64_t version = 0;
  source::kafka_config config;
  std::string topic_id;
  source::positions next;
  /// CIDRs, parted by commas, that the tenant's connections may reach besides the public internet.
  std::string allow;
};

/// What the reader has to tell.
struct source_report {
  std::string topic_id;
  source::saved saved;
  source::positions ends;
  source::status status;
};

class source_store {
public:
  virtual ~source_store() = default;

  /// Without secrets.
  virtual result<std::vector<source_record>> list(tenant_id tenant) = 0;
  virtual result<source_record> get(tenant_id tenant, const uuid& id) = 0;
  /// With secrets, to be changed.
  virtual result<source_change> read(tenant_id tenant, const uuid& id) = 0;
  /// `conflict` when the tenant has as many as it may.
  virtual result<uuid> create(tenant_id tenant, const source_change& what, const std::string& actor) = 0;
  virtual result<void> change(tenant_id tenant, const uuid& id, const source_change& what,
                              const std::string& actor) = 0;
  virtual result<void> remove(tenant_id tenant, const uuid& id, const std::string& actor) = 0;

  /// CIDRs, parted by commas, that the tenant's connections may reach besides the public internet.
  virtual result<std::string> networks(tenant_id tenant) = 0;

  /// The right to read it, for `seconds`; it is to be asked for again before they are over. Nothing: somebody else has
  /// it. `not_found`: it is deleted or paused, and is not looked for any more.
  virtual result<std::optional<claimed_source>> claim(tenant_id tenant, const uuid& id, const std::string& holder,
                                                      std::int64_t seconds) = 0;
  /// Keeps positions and status. `fenced`: `holder` has not the right any more, or the source was changed.
  virtual result<void> report(tenant_id tenant, const uuid& id, const std::string& holder, std::int64_t version,
                              const source_report& what) = 0;
  /// Gives the right back.
  virtual result<void> release(tenant_id tenant, const uuid& id, const std::string& holder) = 0;
};

} // namespace pulse
