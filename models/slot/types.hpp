// What goes through a slot: parts of batches on their way to a tenant's children, what comes back, and the batch
// that the store commits. Plain data.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/event/event.hpp"

namespace pulse::slot {

/// A record of raw with its place. `control` is known at the split, without decoding (see is_control_key).
struct item {
  log_offset offset;
  tenant_id tenant;
  /// Shared: a part that is sent again costs no copy.
  std::shared_ptr<const std::string> value;
  bool control = false;
};

/// Of an item that is not of the log: an event that is scored and not stored.
inline constexpr log_offset no_offset{-1};

/// The entity under which control records are keyed: `tenant/!control`.
inline constexpr std::string_view control_entity = "!control";

inline bool is_control_key(std::string_view key) {
  return key.size() > control_entity.size() && key.ends_with(control_entity) &&
         key[key.size() - control_entity.size() - 1] == '/';
}

/// An immutable version named by hash that a control record puts in force: a mapping, a model.
struct artifact {
  std::string kind;
  std::string hash;
  std::shared_ptr<const std::string> bytes;
};

/// One tenant's share of a batch, or of a replay, in raw order. A replay moves state and yields nothing.
struct part {
  std::uint64_t request = 0;
  tenant_id tenant;
  bool replay = false;
  /// Hand back the images of all dirty chunks as of the last item.
  bool take_images = false;
  std::vector<item> items;
  /// The versions that control records among the items name.
  std::vector<artifact> artifacts;
};

enum class outcome : std::uint8_t { stored, failed, control, dropped };

/// Why an event is among the failed ones.
struct failure {
  /// `ingestion`, `decode`, `enrichment`, `scoring`, `store`.
  std::string stage;
  std::string code;
  std::string detail;
  std::string pointer;
};

/// What became of one record. `stored` still may turn out a duplicate in the store.
struct processed {
  log_offset offset;
  tenant_id tenant;
  slot::outcome outcome = slot::outcome::stored;
  pulse::event event;
  /// As they were scored, in the order of the feature schema; for training and for scoring again.
  std::vector<float> features;
  slot::failure failure;
  /// Only for `failed`: what was sent, to be mended and sent again.
  std::string body;
  /// Only for `control`: its id, and the kind and hash that are in force from here on.
  uuid control_id;
  std::string control_kind;
  std::string control_hash;
  /// A newer version of the kind is in force already.
  bool control_superseded = false;
};

/// A chunk of a tenant's state after everything up to and including `as_of`.
struct chunk_image {
  std::int32_t chunk = 0;
  log_offset as_of;
  std::string bytes;
};

struct part_result {
  std::uint64_t request = 0;
  tenant_id tenant;
  /// One per item, in order; empty for a replay.
  std::vector<processed> results;
  /// All dirty chunks, when they were asked for.
  std::vector<chunk_image> images;
  /// Memory that models take which are held for this tenant alone.
  std::size_t model_bytes = 0;
};

struct tenant_images {
  tenant_id tenant;
  /// State up to and including this offset is in the images, once these are committed.
  log_offset as_of;
  std::vector<chunk_image> chunks;
};

/// What one transaction stores: raw records [from, to), or images alone (from == to).
struct batch {
  std::uint64_t seq = 0;
  log_offset from;
  log_offset to;
  std::vector<processed> results;
  std::vector<tenant_images> images;
};

} // namespace pulse::slot
