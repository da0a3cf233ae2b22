// Brings a database to the schema of this program: forward-only, numbered, each file once, in one transaction each.
#pragma once

#include <functional>
#include <string>

#include "base/error.hpp"

namespace pulse::postgres {

/// Applies what is missing as the connecting user and premakes the partitions of [now - horizon, now + 4 weeks).
/// Errors name the file; a file that was changed after it was applied is a conflict. `progress` gets each file's name.
result<int> migrate(const std::string& url, int horizon_days, const std::function<void(const std::string&)>& progress);

/// Makes the partitions that are due. Safe at any time; the maintenance timer's and the migration's.
result<void> make_partitions(const std::string& url, int horizon_days);

/// Drops the weeks that lie wholly before the horizon. Safe at any time: such events are refused already.
result<void> drop_partitions(const std::string& url, int horizon_days);

/// Deletes what is over its age: minute rollups, ids of untimed events, failed events, events of test keys. At most
/// `rows_max` rows of each; the number that went.
result<std::int64_t> delete_aged(const std::string& url, std::int64_t rows_max);

} // namespace pulse::postgres
