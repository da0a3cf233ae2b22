// Control records: what changes how a tenant's events are read and scored, as records among the events, so that it
// takes effect at an offset. And the image of what is in force, which is part of the tenant's state.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pulse::slot {

/// Puts an immutable version in force: `kind` is one of version_kinds, `hash` names the stored bytes.
/// Versions of a kind count up, going back included: a record that was sent again and lands behind a newer one changes
/// nothing.
struct control {
  uuid id;
  std::string kind;
  std::string hash;
  std::int64_t version = 0;
};

/// JSON `{"id","kind","hash","version"}`: the body of a raw record of kind control.
std::string encode_control(const control& c);
result<control> decode_control(std::string_view body);

/// What is in force for a tenant after some offset; the chunk `control_chunk` of its images.
struct in_force {
  std::string mapping;
  std::int64_t mapping_version = 0;
  std::string model;
  std::int64_t model_version = 0;
  std::string rules;
  std::int64_t rules_version = 0;
  std::string lists;
  std::int64_t lists_version = 0;
  /// The fraud model.
  std::string fraud;
  std::int64_t fraud_version = 0;
  /// Models that score beside those in force, and decide nothing.
  std::string model_shadow;
  std::int64_t model_shadow_version = 0;
  std::string fraud_shadow;
  std::int64_t fraud_shadow_version = 0;
  /// Of events that name none: the tenant's own, else that of its first money event.
  std::string currency;

  bool operator==(const in_force&) const = default;

  /// Hash and version in force of a kind; null for a kind that there is not.
  std::string* hash_of(std::string_view kind);
  std::int64_t* version_of(std::string_view kind);
};

/// Every kind of version that can be in force.
inline constexpr std::string_view version_kinds[] = {"mapping", "model",        "rules",       "lists",
                                                     "fraud",   "model_shadow", "fraud_shadow"};

/// Of control records that bring labels: they add to the state, and nothing is in force by them.
inline constexpr std::string_view labels_kind = "labels";

inline constexpr std::int32_t control_chunk = -1;

std::string encode_in_force(const in_force& f);
result<in_force> decode_in_force(std::string_view bytes);

} // namespace pulse::slot
