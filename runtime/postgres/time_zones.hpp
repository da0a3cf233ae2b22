// The time zones that the server knows by name.
#pragma once

#include <set>
#include <string>

#include <fmt/format.h>
#include <pqxx/pqxx>

#include "postgres/connection.hpp"

namespace pulse::postgres {

/// Asks once a name: the server reads all its zone files for the answer, some 30 ms. Used by one thread at a time.
class time_zones {
public:
  /// Throws `refused` (`invalid`, at /timezone) for a name that is none.
  void require(pqxx::work& tx, const std::string& zone) {
    if (known_.contains(zone))
      return;
    if (tx.exec("SELECT FROM pg_timezone_names WHERE name = $1", pqxx::params{zone}).empty())
      throw refused({ec::invalid, fmt::format("'{}' is no IANA time zone, such as Europe/Paris", zone), "/timezone"});
    known_.insert(zone);
  }

private:
  std::set<std::string> known_;
};

} // namespace pulse::postgres
