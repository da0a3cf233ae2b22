// All settings of a node: one set under three names. `http.port` in the file, `PULSE_HTTP_PORT` in the environment,
// `--http-port` as a flag; later ones win. Read once at start; every problem is told at once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace pulse {

struct settings {
  std::string data_dir = ".pulse";
  std::string node_id;
  std::string node_host = "127.0.0.1";
  std::int64_t node_port = 0;
  std::string node_ca;
  std::string node_cert;
  std::string node_key;
  std::int64_t cluster_term_ms = 3000;
  std::string http_host = "127.0.0.1";
  std::int64_t http_port = 8080;
  std::int64_t http_threads = 2;
  std::string admin_host = "127.0.0.1";
  std::int64_t admin_port = 8081;
  std::string tls_cert;
  std::string tls_key;
  std::string trusted_proxies;
  std::string public_url;
  std::string log_level = "info";
  std::string log_format = "auto";
  std::string event_log = "embedded";
  std::int64_t log_slots = 8;
  std::int64_t log_disk_free_min_mib = 512;
  std::string log_taps = "auto";
  std::string kafka_brokers;
  std::string kafka_topic_prefix = "pulse";
  std::int64_t kafka_slots = 64;
  std::int64_t kafka_replication_factor = 3;
  std::int64_t kafka_min_insync_replicas = 2;
  std::string kafka_security_protocol = "plaintext";
  std::string kafka_ca;
  std::string kafka_cert;
  std::string kafka_key;
  std::string kafka_sasl_mechanism = "SCRAM-SHA-512";
  std::string kafka_sasl_user;
  std::string kafka_sasl_password;
  std::string kafka_compression = "lz4";
  std::int64_t kafka_prefetch_mib = 128;
  std::int64_t kafka_tap_hours = 72;
  bool kafka_trim = true;
  std::int64_t kafka_spill_mib = 0;
  std::string postgres_url;
  std::string webhook_allow;
  std::string geo_dir;
  std::string iso_codes_dir = "/usr/share/iso-codes/json";
  std::int64_t horizon_days = 730;
  std::int64_t batch_events_max = 5000;
  std::int64_t read_interval_ms = 50;
  std::int64_t image_interval_ms = 60000;
  std::int64_t image_events = 20000;
  std::int64_t tenant_idle_ms = 300000;
  std::int64_t tenants_awake_max = 2000;
  std::int64_t tenants_models_mib = 1024;
  std::int64_t drain_ms_max = 10000;
  std::int64_t worker_threads = 4;
  std::int64_t limits_rate = 1000;
  std::int64_t limits_burst = 5000;

  /// Of the log that is chosen.
  std::int64_t slots() const {
    return event_log == "kafka" ? kafka_slots : log_slots;
  }
};

/// One setting: its name in the file, its place, what it is for, and what it may be.
struct setting {
  using place = std::variant<std::string settings::*, std::int64_t settings::*, bool settings::*>;

  std::string name;
  place field;
  std::string help;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::vector<std::string> allowed;
  bool secret = false;

  /// `PULSE_HTTP_PORT` and `--http-port`.
  std::string environment() const;
  std::string flag() const;
};

const std::vector<setting>& all_settings();

/// Where a setting's value came from, for `config show`.
struct loaded_settings {
  settings values;
  std::map<std::string, std::string> origin;
};

/// Defaults, then the file (JSON with comments; empty: none), the environment, the flags (by setting name). The error
/// lists every problem, one a line, with its name and what is allowed. A secret `X` is also taken from the file that
/// `PULSE_X_FILE` names.
result<loaded_settings> load_settings(const std::string& file_text,
                                      const std::function<std::optional<std::string>(const std::string&)>& environment,
                                      const std::map<std::string, std::string>& flags,
                                      const std::function<std::optional<std::string>(const std::string&)>& read_file);

/// The value as text; secrets as `***`.
std::string shown(const settings& s, const setting& which);

} // namespace pulse
