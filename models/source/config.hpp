// A tenant's own Kafka topic as a source of events: what the tenant says of it, checked. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"
#include "base/net.hpp"

namespace pulse::source {

/// Where reading begins when nothing was read yet.
enum class start_at : std::uint8_t { earliest, latest };

struct kafka_config {
  /// `host:port`, 1 to 20 of them.
  std::vector<std::string> brokers;
  std::string topic;
  /// plaintext, ssl, sasl_plaintext, sasl_ssl.
  std::string protocol = "ssl";
  /// PEM texts: the authority of the brokers' certificates (empty: the system's), the tenant's certificate.
  std::string ca;
  std::string cert;
  /// PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.
  std::string mechanism = "SCRAM-SHA-512";
  std::string user;
  start_at start = start_at::earliest;
  /// See record_mapping; an empty object: a record's value is an event as it stands. JSON.
  std::string mapping = "{}";
  std::string description;

  /// Secrets: never in an answer, never in a log.
  std::string key;
  std::string password;

  bool operator==(const kafka_config&) const = default;

  bool uses_sasl() const {
    return protocol.starts_with("sasl");
  }

  bool uses_tls() const {
    return protocol.ends_with("ssl");
  }
};

/// Puts what the body names over what is there. Unknown members, wrong types and, `topic` and `start` once they are
/// fixed (`made`) are `invalid` with the pointer of the place.
result<void> apply(const nlohmann::json& body, kafka_config& into, bool made);

/// Everything together: `invalid` with the pointer of the first problem.
result<void> validate(const kafka_config& c);

/// Without secrets; that they are set stands as `key_set` and `password_set`.
nlohmann::ordered_json to_json(const kafka_config& c);

/// As it is stored: the config without, and the secrets alone. `corrupt` when it can't be read back.
std::string stored_config(const kafka_config& c);
std::string stored_secrets(const kafka_config& c);
result<kafka_config> read_stored(std::string_view config, std::string_view secrets);

/// The first broker that is named by an address which nobody may reach from here; names are checked at each connect.
std::optional<std::string> closed_broker(const kafka_config& c, const std::vector<cidr>& allow);

} // namespace pulse::source
