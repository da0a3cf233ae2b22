// Where a backtest's events come from: lines of a file, and what a node stored of a tenant.
#pragma once

#include <optional>
#include <string>

#include "base/time.hpp"
#include "models/event/event.hpp"
#include "node/cli/client.hpp"

namespace pulse::cli {

/// Ids of events that bring none count up: the same file gives the same report.
class counting_ids final : public random_source {
public:
  void fill(std::span<std::uint8_t> bytes) override {
    ++next_;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(next_ >> (8 * (i % 8)));
  }

private:
  std::uint64_t next_ = 0;
};

/// The event of a line, as the door and the slot read it; received when it happened. Error: why the door refuses it.
result<event> event_of_line(std::string line, random_source& ids, time_ms now);

/// An event as `GET /v1/events` answers it, with the risk that it had. Numbers of properties keep 17 digits.
event event_of_answer(const json& stored);

/// True for a fraud; nothing where nobody labelled it.
std::optional<bool> label_of_answer(const json& stored);

} // namespace pulse::cli
