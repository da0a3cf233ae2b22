// How far a source was read: one batch of records is under way at a time, its positions are kept only when its events
// are in the log, and the next one is read when they are. Without I/O: fed with records, answers and times. Driven by
// actors/kafka_source.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "models/source/record.hpp"

namespace pulse::source {

/// What the tenant sees.
struct status {
  /// `starting`, `running`, `waiting` (the tenant's own limit, or our log), `failing`.
  std::string state = "starting";
  /// Stable, such as `unreachable`; empty while all is well.
  std::string code;
  std::string detail;

  bool operator==(const status&) const = default;
};

/// By partition, the next offset to read.
using positions = std::map<std::int32_t, std::int64_t>;

/// What became of a batch in our log.
struct batch_answer {
  std::optional<error> failed;
  std::int64_t retry_after_ms = 0;
  std::int64_t accepted = 0;
  std::int64_t refused = 0;
};

/// What has to be stored.
struct saved {
  positions next;
  std::int64_t accepted = 0;
  std::int64_t refused = 0;
  /// Of the latest record; 0: none.
  std::int64_t last_record_ms = 0;
};

enum class step : std::uint8_t { open, read, send, save, wait };

class progress {
public:
  explicit progress(std::int64_t delay_ms_min = 500, std::int64_t delay_ms_max = 60'000);

  /// What has to be done now. `now`: monotonic ms, here and below.
  step next(std::int64_t now) const;
  /// When `next` may answer otherwise; for `wait`.
  std::int64_t wake_at() const {
    return not_before_;
  }

  void opened(std::int64_t now);
  /// The source must be opened anew, after a growing delay.
  void lost(const std::string& code, const std::string& detail, std::int64_t now);
  /// What was read; with nothing it is read again.
  void took(std::vector<record> records, std::int64_t now);

  /// What is to be sent now: all that was read, or as much of its front as the tenant's limit lets through.
  std::span<const record> batch() const {
    return std::span(batch_).first(part_);
  }

  /// It is on its way; without an answer until `deadline` it is sent again (ids make that harmless).
  void sent(std::int64_t deadline);
  void answered(const batch_answer& a, std::int64_t now);

  /// For `save`: positions behind what was sent.
  saved to_save() const;
  void stored(const result<void>& ok, std::int64_t now);

  const status& seen() const {
    return status_;
  }

private:
  void back_off(std::int64_t now);
  std::int64_t grown() const;

  std::int64_t delay_ms_min_;
  std::int64_t delay_ms_max_;
  step at_ = step::open;
  bool under_way_ = false;
  std::int64_t not_before_ = 0;
  int failures_ = 0;
  std::vector<record> batch_;
  /// Of the batch: how many are sent at once; halved while the limit refuses them.
  std::size_t part_ = 0;
  std::int64_t accepted_ = 0;
  std::int64_t refused_ = 0;
  status status_;
};

} // namespace pulse::source
