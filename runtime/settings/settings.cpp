#include "settings/settings.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pulse {

namespace {

std::string transformed(const std::string& name, char separator, bool upper) {
  std::string out;
  for (char c : name) {
    if (c == '.' || c == '_')
      out.push_back(separator);
    else
      out.push_back(upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return out;
}

setting number(std::string name, std::int64_t settings::*field, std::int64_t min, std::int64_t max, std::string help) {
  return {std::move(name), field, std::move(help), min, max, {}, false};
}

setting text(std::string name, std::string settings::*field, std::string help, std::vector<std::string> allowed = {}) {
  return {std::move(name), field, std::move(help), 0, 0, std::move(allowed), false};
}

/// Puts a value in place; the problem as text, or nothing.
std::optional<std::string> assign(settings& s, const setting& which, const std::string& value) {
  if (const auto* field = std::get_if<std::string settings::*>(&which.field)) {
    if (!which.allowed.empty() && std::find(which.allowed.begin(), which.allowed.end(), value) == which.allowed.end())
      return fmt::format("'{}' is not one of {}", value, fmt::join(which.allowed, ", "));
    s.*(*field) = value;
    return std::nullopt;
  }
  if (const auto* field = std::get_if<bool settings::*>(&which.field)) {
    const bool yes = value == "true" || value == "1";
    if (!yes && value != "false" && value != "0")
      return fmt::format("'{}' is not true or false", value);
    s.*(*field) = yes;
    return std::nullopt;
  }
  std::int64_t v = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), v);
  if (problem != std::errc{} || end != value.data() + value.size() || v < which.min || v > which.max)
    return fmt::format("'{}' is not a whole number from {} to {}", value, which.min, which.max);
  s.*(std::get<std::int64_t settings::*>(which.field)) = v;
  return std::nullopt;
}

void flatten(const nlohmann::json& node, const std::string& prefix, std::map<std::string, std::string>& out) {
  for (const auto& [key, value] : node.items()) {
    const auto name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object())
      flatten(value, name, out);
    else
      out[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
}

bool is_node_id(const std::string& id) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return id.size() <= 32 && plain(id.front()) &&
         std::all_of(id.begin(), id.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

} // namespace

std::string setting::environment() const {
  return "PULSE_" + transformed(name, '_', true);
}

std::string setting::flag() const {
  return "--" + transformed(name, '-', false);
}

const std::vector<setting>& all_settings() {
  using s = settings;
  static const std::vector<setting> all = [] {
    std::vector<setting> list = {
        text("data_dir", &s::data_dir, "where the program keeps its files"),
        text("node.id", &s::node_id,
             "the node's name in a cluster, kept over restarts; empty: made once and kept in data_dir"),
        text("node.host", &s::node_host, "address at which the other nodes of a cluster reach this one"),
        number("node.port", &s::node_port, 0, 65535, "port for them; 0: any free one"),
        text("node.ca", &s::node_ca, "PEM file of the cluster's own authority (pulse cluster ca); needed off loopback"),
        text("node.cert", &s::node_cert, "PEM file of this node's certificate by it (pulse cluster cert)"),
        text("node.key", &s::node_key, "PEM file of its key"),
        number("cluster.term_ms", &s::cluster_term_ms, 600, 600000,
               "ms that a slot's lease runs; the same on every node. A node that vanished is replaced after it"),
        text("http.host", &s::http_host, "address of the public listener"),
        number("http.port", &s::http_port, 0, 65535, "port of the public listener; 0: any free one"),
        number("http.threads", &s::http_threads, 1, 64, "threads of the public listener's event loop"),
        text("admin.host", &s::admin_host, "address of the admin listener"),
        number("admin.port", &s::admin_port, 0, 65535, "port of the admin listener; 0: any free one"),
        text("tls.cert", &s::tls_cert, "PEM file of the public listener's certificate chain; empty: plain HTTP"),
        text("tls.key", &s::tls_key, "PEM file of its key"),
        text("trusted_proxies", &s::trusted_proxies, "CIDRs, comma separated, whose X-Forwarded-For is believed"),
        text("public_url", &s::public_url, "how tenants reach this installation, for links"),
        text("log.level", &s::log_level, "least level that is logged", {"debug", "info", "warning", "error"}),
        text("log.format", &s::log_format, "lines of the log: JSON or text; auto: text on a terminal",
             {"auto", "json", "text"}),
        text("event_log", &s::event_log, "where events are kept until they are stored", {"embedded", "kafka"}),
        number("log.slots", &s::log_slots, 1, 64, "slots of a new embedded log; fixed when it is made"),
        number("log.disk_free_min_mib", &s::log_disk_free_min_mib, 1, 1 << 20,
               "MiB of free disk under which events are refused"),
        text("log.taps", &s::log_taps,
             "write the topics enriched, scored, failed and alerts for other readers; auto: where the log is Kafka",
             {"auto", "on", "off"}),
        text("kafka.brokers", &s::kafka_brokers, "brokers of the log, as host:port, comma separated"),
        text("kafka.topic_prefix", &s::kafka_topic_prefix, "topics are PREFIX.raw and so on"),
        number("kafka.slots", &s::kafka_slots, 1, 1024, "partitions of each topic; fixed when they are made"),
        number("kafka.replication_factor", &s::kafka_replication_factor, 1, 9,
               "copies of each record; 1 on one broker"),
        number("kafka.min_insync_replicas", &s::kafka_min_insync_replicas, 1, 9,
               "copies that must be there before an event is acknowledged"),
        text("kafka.security_protocol", &s::kafka_security_protocol, "how brokers are spoken to",
             {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"}),
        text("kafka.ca", &s::kafka_ca, "PEM file of the authority of the brokers' certificates; empty: the system's"),
        text("kafka.cert", &s::kafka_cert, "PEM file of our certificate for the brokers; empty: none"),
        text("kafka.key", &s::kafka_key, "PEM file of its key"),
        text("kafka.sasl_mechanism", &s::kafka_sasl_mechanism, "how a password is proved",
             {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}),
        text("kafka.sasl_user", &s::kafka_sasl_user, "user name for SASL"),
        text("kafka.sasl_password", &s::kafka_sasl_password, "its password"),
        text("kafka.compression", &s::kafka_compression, "of what is sent to the brokers", {"none", "lz4", "zstd"}),
        number("kafka.prefetch_mib", &s::kafka_prefetch_mib, 1, 65536,
               "MiB that are fetched ahead, of all slots; at least 1 a slot"),
        number("kafka.tap_hours", &s::kafka_tap_hours, 1, 87600, "hours that new topics other than raw keep records"),
        {"kafka.trim",
         &s::kafka_trim,
         "delete of raw what no slot needs; false keeps all, for a rebuild",
         0,
         0,
         {},
         false},
        number(
            "kafka.spill_mib", &s::kafka_spill_mib, 0, 1 << 20,
            "MiB of this node's disk that take events in while Kafka is away; they are then on one disk only. 0: none, "
            "503 instead"),
        text("postgres_url", &s::postgres_url, "the database; scripts/run makes a private one"),
        text("webhook_allow", &s::webhook_allow, "CIDRs of private networks that webhooks and sources may reach"),
        text("geo_dir", &s::geo_dir, "directory with the files geoip and geoip6; empty: no country by address"),
        text("iso_codes_dir", &s::iso_codes_dir, "directory with iso_3166-1.json"),
        number("horizon_days", &s::horizon_days, 30, 3650, "days: older events are refused"),
        number("slot.batch_events_max", &s::batch_events_max, 1, 50000, "events a transaction"),
        number("slot.read_interval_ms", &s::read_interval_ms, 0, 10000, "ms between two batches that are not full"),
        number("slot.image_interval_ms", &s::image_interval_ms, 100, 3600000,
               "ms after which a tenant's changed state is stored"),
        number("slot.image_events", &s::image_events, 1, 10000000, "events after which it is stored"),
        number("tenant.idle_ms", &s::tenant_idle_ms, 100, 86400000, "ms without events after which a tenant sleeps"),
        number("tenant.awake_max", &s::tenants_awake_max, 1, 1000000,
               "tenants awake in a slot; the longest idle sleeps first"),
        number("tenant.models_mib", &s::tenants_models_mib, 1, 1 << 20,
               "MiB of tenants' own models that a slot keeps in memory; over it the longest idle sleeps first"),
        number("drain_ms_max", &s::drain_ms_max, 100, 600000,
               "ms that SIGTERM waits for what is under way; three times as long where slots go to other nodes"),
        number("worker_threads", &s::worker_threads, 1, 64,
               "threads (and database connections) for queries and settings"),
        number("limits.rate", &s::limits_rate, 0, 10000000, "events a second of a new tenant; 0: no limit"),
        number("limits.burst", &s::limits_burst, 0, 100000000, "events at once of a new tenant"),
    };
    for (auto& which : list)
      which.secret = which.name == "postgres_url" || which.name == "kafka.sasl_password";
    return list;
  }();
  return all;
}

result<loaded_settings> load_settings(const std::string& file_text,
                                      const std::function<std::optional<std::string>(const std::string&)>& environment,
                                      const std::map<std::string, std::string>& flags,
                                      const std::function<std::optional<std::string>(const std::string&)>& read_file) {
  loaded_settings out;
  std::vector<std::string> problems;
  std::map<std::string, std::string> from_file;
  if (!file_text.empty()) {
    const auto parsed = nlohmann::json::parse(file_text, nullptr, false, true);
    if (parsed.is_object())
      flatten(parsed, "", from_file);
    else
      problems.emplace_back("the settings file is no JSON object (comments are allowed)");
  }
  const auto take = [&](const setting& which, const std::string& value, const std::string& origin) {
    if (auto problem = assign(out.values, which, value))
      problems.push_back(fmt::format("{} ({}): {}", which.name, origin, *problem));
    else
      out.origin[which.name] = origin;
  };
  for (const auto& which : all_settings()) {
    out.origin[which.name] = "default";
    if (const auto it = from_file.find(which.name); it != from_file.end()) {
      if (which.secret && !it->second.empty())
        problems.push_back(
            fmt::format("{}: a secret stands in {} or in the file {}_FILE names, not in the settings file", which.name,
                        which.environment(), which.environment()));
      else
        take(which, it->second, "file");
      from_file.erase(it);
    }
    if (which.secret) {
      if (const auto path = environment(which.environment() + "_FILE")) {
        if (auto content = read_file(*path)) {
          while (!content->empty() && content->back() == '\n')
            content->pop_back();
          take(which, *content, which.environment() + "_FILE");
        } else {
          problems.push_back(fmt::format("{}: {} cannot be read", which.name, *path));
        }
      }
    }
    if (const auto value = environment(which.environment()))
      take(which, *value, which.environment());
    if (const auto it = flags.find(which.name); it != flags.end())
      take(which, it->second, which.flag());
  }
  for (const auto& [name, value] : from_file)
    problems.push_back(fmt::format("{}: there is no such setting", name));
  if (out.values.tls_cert.empty() != out.values.tls_key.empty())
    problems.emplace_back("tls.cert, tls.key: both or neither");
  if (out.values.node_ca.empty() != out.values.node_cert.empty() ||
      out.values.node_ca.empty() != out.values.node_key.empty())
    problems.emplace_back("node.ca, node.cert, node.key: all three or none");
  if (out.values.event_log == "kafka" && out.values.kafka_brokers.empty())
    problems.emplace_back("kafka.brokers: event_log is kafka, so it needs host:port of a broker");
  if (!out.values.node_id.empty() && !is_node_id(out.values.node_id))
    problems.emplace_back("node.id: 1 to 32 letters, digits, '.', '_' and '-', the first a letter or digit");
  if (!problems.empty())
    return error{ec::invalid, fmt::format("{}", fmt::join(problems, "\n")), ""};
  return out;
}

std::string shown(const settings& s, const setting& which) {
  if (const auto* field = std::get_if<std::string settings::*>(&which.field))
    return which.secret && !(s.*(*field)).empty() ? "***" : s.*(*field);
  if (const auto* field = std::get_if<bool settings::*>(&which.field))
    return s.*(*field) ? "true" : "false";
  return std::to_string(s.*(std::get<std::int64_t settings::*>(which.field)));
}

} // namespace pulse
