// What the handlers of endpoints and alerts read out of a request. A `refused_request` is thrown on the way to an
// answer and ends in `ask_alerts`.
#pragma once

#include <nlohmann/json.hpp>

#include "http/handlers/alerts.hpp"

namespace pulse::http {

struct refused_request : std::runtime_error {
  explicit refused_request(error e) : std::runtime_error(e.detail), why(std::move(e)) {
  }

  error why;
};

using json = nlohmann::ordered_json;

/// Unwraps, or ends the request with the error.
template <class T>
T need(result<T> r) {
  if (!r)
    throw refused_request(r.err());
  return std::move(r).value();
}

inline void need(const result<void>& r) {
  if (!r)
    throw refused_request(r.err());
}

/// A route that asks the store on a worker.
route make_alert_route(const alert_parts& p, std::string method, std::string pattern, scope needed,
                       std::function<response(alert_admin&, const request&)> ask);

/// An empty body is an empty object.
nlohmann::json body_object(const request& in);
/// The path's `{id}`; `not_found` when it is no id.
uuid id_of(const request& in);
bool is_dry_run(const request& in);
/// Who asks, for the audit.
std::string actor_of(const request& in);
std::string text_member(const nlohmann::json& body, const char* name, std::string fallback = "");
/// At most 1000 bytes for people.
std::string short_text(const nlohmann::json& body, const char* name);
/// Known types of alerts; nothing when the member is absent.
std::optional<std::vector<std::string>> types_member(const nlohmann::json& body);
std::vector<std::string> known_types(const std::vector<std::string>& types, const std::string& pointer);
std::optional<time_ms> time_value(std::optional<std::string> text, const std::string& pointer);
/// from, to, type, severity, state, of the query.
alert_filter filter_of_query(const request& in);
page_request page_of_query(const request& in);
/// As a receiver gets it, with what became of it here.
json alert_json(const alert_record& a);
/// `{"data","has_more","next_cursor"}`.
response list_answer(json data, const std::string& next);

} // namespace pulse::http
