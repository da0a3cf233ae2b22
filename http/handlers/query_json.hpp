// The query routes' answers as JSON text. Stored JSON goes in as it is, so that its numbers keep their digits.
#pragma once

#include <string>

#include "ports/query_store.hpp"

namespace pulse::http {

std::string value_json(const query::value& v);
std::string metric_list_json();
std::string metric_json(const query::metric_answer& a);
std::string event_json(const stored_event& e);
std::string failed_json(const failed_event& f);

/// What came of deciding a stored event once more.
struct second_try {
  /// JSON of the smallest change that would have had another outcome.
  std::string flip = "null";
  /// Why the stored risk did not come out again; empty: it did.
  std::string fault;
};

/// `id`: as it was asked for. `again` is of `t.stored`, if there is one.
std::string trail_json(const std::string& id, const event_trail& t, const second_try& again);
std::string limits_json(const tenant_use& u);

} // namespace pulse::http
