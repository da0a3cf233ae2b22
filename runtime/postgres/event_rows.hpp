// How events and rollups look in binary COPY: the columns of the stages and their bytes.
#pragma once

#include <string>
#include <string_view>

#include "models/rollup/rollup.hpp"
#include "models/slot/types.hpp"
#include "postgres/connection.hpp"

namespace pulse::postgres {

/// Columns shared by `event` and its stage, in the order that write_event fills; the stage has `seen_hash` behind.
extern const std::string_view event_columns;

/// Creates the session's stages; they are emptied at each commit.
extern const std::string_view create_stages;

/// Where the row comes from.
struct row_origin {
  std::string_view node;
  slot_id slot;
};

void write_event(copy_rows& out, const slot::processed& p, const row_origin& origin);

void write_rollup(copy_rows& out, rollup::grain grain, const rollup::key& key, const rollup::measures& m);

/// The key under which an event without a time of its own is deduplicated.
std::string seen_hash(const event& e);

} // namespace pulse::postgres
