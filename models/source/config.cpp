#include "models/source/config.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "models/source/record_mapping.hpp"

namespace pulse::source {

namespace {

using json = nlohmann::json;

constexpr std::size_t brokers_max = 20;
constexpr std::size_t pem_bytes_max = 64 << 10;
constexpr std::size_t text_bytes_max = 1000;

error wrong(std::string pointer, std::string detail) {
  return {ec::invalid, std::move(detail), std::move(pointer)};
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/// Host and port; nothing when the text is not `host:port` or `[v6]:port`.
std::optional<std::pair<std::string, int>> split_broker(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > 300)
    return std::nullopt;
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  int port = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (bad != std::errc{} || end != digits.data() + digits.size() || port < 1 || port > 65535)
    return std::nullopt;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!ip_address::parse(host))
      return std::nullopt;
  } else if (!std::all_of(host.begin(), host.end(), is_host_char)) {
    return std::nullopt;
  }
  return std::pair(std::string(host), port);
}

result<void> take_text(const json& value, const std::string& pointer, std::size_t bytes_max, std::string& into) {
  if (!value.is_string())
    return wrong(pointer, fmt::format("{}: a string", pointer.substr(1)));
  into = value.get<std::string>();
  if (into.size() > bytes_max || into.find('\0') != std::string::npos)
    return wrong(pointer, fmt::format("{}: at most {} bytes of text", pointer.substr(1), bytes_max));
  return {};
}

result<void> apply_security(const json& body, kafka_config& into) {
  if (!body.is_object())
    return wrong("/security", "security: an object with protocol, ca, cert, key, mechanism, user and password");
  struct member {
    const char* name;
    std::string kafka_config::*field;
    std::size_t bytes_max;
  };
  static constexpr member members[] = {{"protocol", &kafka_config::protocol, 20},
                                       {"ca", &kafka_config::ca, pem_bytes_max},
                                       {"cert", &kafka_config::cert, pem_bytes_max},
                                       {"key", &kafka_config::key, pem_bytes_max},
                                       {"mechanism", &kafka_config::mechanism, 20},
                                       {"user", &kafka_config::user, text_bytes_max},
                                       {"password", &kafka_config::password, text_bytes_max}};
  for (const auto& [name, value] : body.items()) {
    const auto known =
        std::find_if(std::begin(members), std::end(members), [&, n = name](const member& m) { return n == m.name; });
    const auto pointer = "/security/" + name;
    if (known == std::end(members))
      return wrong(pointer, fmt::format("security has no '{}'; it has protocol, ca, cert, key, mechanism, user and "
                                        "password",
                                        name));
    if (auto ok = take_text(value, pointer, known->bytes_max, into.*(known->field)); !ok)
      return ok;
  }
  return {};
}

result<void> apply_brokers(const json& value, kafka_config& into) {
  into.brokers.clear();
  if (!value.is_array() || value.empty() || value.size() > brokers_max)
    return wrong("/brokers", fmt::format("brokers: 1 to {} of host:port", brokers_max));
  for (const auto& b : value) {
    if (!b.is_string())
      return wrong("/brokers", "brokers: strings such as kafka.example:9092");
    into.brokers.push_back(b.get<std::string>());
  }
  return {};
}

result<void> apply_fixed(const std::string& name, const json& value, kafka_config& into, bool made) {
  kafka_config asked;
  if (name == "topic") {
    if (auto ok = take_text(value, "/topic", 249, asked.topic); !ok)
      return ok;
  } else {
    if (value != "earliest" && value != "latest")
      return wrong("/start", "start: earliest or latest");
    asked.start = value == "latest" ? start_at::latest : start_at::earliest;
  }
  const bool same = name == "topic" ? asked.topic == into.topic : asked.start == into.start;
  if (made && !same)
    return wrong("/" + name, fmt::format("{} is fixed when a source is made: make another one, and delete this", name));
  if (name == "topic")
    into.topic = asked.topic;
  else
    into.start = asked.start;
  return {};
}

result<void> check_pem(const std::string& text, const char* name) {
  if (text.empty() || text.starts_with("-----BEGIN "))
    return {};
  return wrong(fmt::format("/security/{}", name), fmt::format("{}: PEM text, from -----BEGIN on", name));
}

result<void> validate_security(const kafka_config& c) {
  const auto one_of = [](const std::string& v, std::initializer_list<const char*> allowed) {
    return std::find(allowed.begin(), allowed.end(), v) != allowed.end();
  };
  if (!one_of(c.protocol, {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"}))
    return wrong("/security/protocol", "protocol: plaintext, ssl, sasl_plaintext or sasl_ssl");
  for (const auto& [name, field] : {std::pair{"ca", &c.ca}, {"cert", &c.cert}, {"key", &c.key}})
    if (auto ok = check_pem(*field, name); !ok)
      return ok;
  if (c.cert.empty() != c.key.empty())
    return wrong("/security/key", "cert and key: both or neither");
  if (!c.uses_tls() && !(c.ca.empty() && c.cert.empty()))
    return wrong("/security/protocol", "certificates need the protocol ssl or sasl_ssl");
  if (!c.uses_sasl())
    return c.user.empty() && c.password.empty()
               ? result<void>{}
               : wrong("/security/protocol", "user and password need the protocol sasl_ssl (or sasl_plaintext)");
  if (!one_of(c.mechanism, {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}))
    return wrong("/security/mechanism", "mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
  if (c.user.empty() || c.password.empty())
    return wrong("/security/user", "SASL needs user and password");
  if (c.mechanism == "PLAIN" && c.protocol == "sasl_plaintext")
    return wrong("/security/mechanism", "PLAIN sends the password as it is: use sasl_ssl, or SCRAM");
  return {};
}

bool is_topic(const std::string& name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_host_char);
}

} // namespace

result<void> apply(const json& body, kafka_config& into, bool made) {
  for (const auto& [name, value] : body.items()) {
    result<void> ok;
    if (name == "brokers")
      ok = apply_brokers(value, into);
    else if (name == "topic" || name == "start")
      ok = apply_fixed(name, value, into, made);
    else if (name == "security")
      ok = apply_security(value, into);
    else if (name == "description")
      ok = take_text(value, "/description", text_bytes_max, into.description);
    else if (name == "mapping")
      into.mapping = value.dump();
    else if (name != "kind" && name != "paused")
      ok = wrong("/" + name, fmt::format("a source has no '{}'; it has kind, brokers, topic, security, start, mapping, "
                                         "description and paused",
                                         name));
    if (!ok)
      return ok;
  }
  return {};
}

result<void> validate(const kafka_config& c) {
  if (c.brokers.empty())
    return wrong("/brokers", fmt::format("brokers: 1 to {} of host:port", brokers_max));
  for (const auto& b : c.brokers)
    if (!split_broker(b))
      return wrong("/brokers", fmt::format("'{}' is not host:port, such as kafka.example:9092", b));
  if (!is_topic(c.topic))
    return wrong("/topic", "topic: 1 to 249 letters, digits, '.', '_' and '-'");
  if (auto mapping = record_mapping::compile(c.mapping); !mapping)
    return mapping.err();
  return validate_security(c);
}

nlohmann::ordered_json to_json(const kafka_config& c) {
  const auto or_null = [](const std::string& s) {
    return s.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(s);
  };
  nlohmann::ordered_json out = {{"brokers", c.brokers},
                                {"topic", c.topic},
                                {"security",
                                 {{"protocol", c.protocol},
                                  {"ca", or_null(c.ca)},
                                  {"cert", or_null(c.cert)},
                                  {"key_set", !c.key.empty()},
                                  {"mechanism", c.uses_sasl() ? or_null(c.mechanism) : nullptr},
                                  {"user", or_null(c.user)},
                                  {"password_set", !c.password.empty()}}},
                                {"start", c.start == start_at::latest ? "latest" : "earliest"},
                                {"description", c.description}};
  out["mapping"] = nlohmann::ordered_json::parse(c.mapping, nullptr, false);
  return out;
}

std::string stored_config(const kafka_config& c) {
  const json out = {
      {"brokers", c.brokers},
      {"topic", c.topic},
      {"security",
       {{"protocol", c.protocol}, {"ca", c.ca}, {"cert", c.cert}, {"mechanism", c.mechanism}, {"user", c.user}}},
      {"start", c.start == start_at::latest ? "latest" : "earliest"},
      {"mapping", json::parse(c.mapping, nullptr, false)},
      {"description", c.description}};
  return out.dump();
}

std::string stored_secrets(const kafka_config& c) {
  return json{{"key", c.key}, {"password", c.password}}.dump();
}

result<kafka_config> read_stored(std::string_view config, std::string_view secrets) {
  kafka_config out;
  const auto c = json::parse(config, nullptr, false);
  const auto s = json::parse(secrets, nullptr, false);
  const error broken{ec::corrupt, "a stored source can't be read", ""};
  if (!c.is_object() || !s.is_object())
    return broken;
  if (auto ok = apply(c, out, false); !ok)
    return error{broken.code, broken.detail + ": " + ok.err().detail, ""};
  if (auto ok = apply_security(s, out); !ok)
    return broken;
  return out;
}

std::optional<std::string> closed_broker(const kafka_config& c, const std::vector<cidr>& allow) {
  for (const auto& b : c.brokers) {
    const auto parts = split_broker(b);
    const auto address = parts ? ip_address::parse(parts->first) : result<ip_address>(error{});
    if (address && !is_public(*address) && !contains(allow, *address))
      return b;
  }
  return std::nullopt;
}

} // namespace pulse::source
