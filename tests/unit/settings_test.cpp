// Settings: the committed file says what the program does, later names win, and every problem is told at once.
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/enrichment/mapping.hpp"
#include "settings/settings.hpp"

using namespace pulse;

namespace {

using texts = std::map<std::string, std::string>;

std::string source_file(const std::string& name) {
  std::ifstream in(PULSE_SOURCE_DIR "/" + name, std::ios::binary);
  REQUIRE(in.good());
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

result<loaded_settings> load(const std::string& file, const texts& environment = {}, const texts& flags = {},
                             const texts& files = {}) {
  const auto look_up = [](const texts& in) {
    return [&in](const std::string& name) {
      const auto it = in.find(name);
      return it == in.end() ? std::nullopt : std::optional<std::string>(it->second);
    };
  };
  return load_settings(file, look_up(environment), flags, look_up(files));
}

/// The lines of the error.
std::vector<std::string> problems_of(const result<loaded_settings>& loaded) {
  REQUIRE(!loaded.ok());
  CHECK(loaded.err().code == ec::invalid);
  std::vector<std::string> out;
  std::istringstream lines(loaded.err().detail);
  for (std::string line; std::getline(lines, line);)
    out.push_back(line);
  return out;
}

bool tells(const std::vector<std::string>& problems, const std::string& start) {
  for (const auto& p : problems)
    if (p.starts_with(start))
      return true;
  return false;
}

const setting& named(const std::string& name) {
  for (const auto& which : all_settings())
    if (which.name == name)
      return which;
  FAIL("there is no setting " << name);
  return all_settings().front();
}

/// The comment that stands above a setting in config/pulse.json: what it is for, and what it may be.
std::string comment_of(const setting& which) {
  if (std::holds_alternative<std::int64_t settings::*>(which.field))
    return fmt::format("// {} ({} to {})", which.help, which.min, which.max);
  if (std::holds_alternative<bool settings::*>(which.field))
    return fmt::format("// {} (true, false)", which.help);
  if (!which.allowed.empty())
    return fmt::format("// {} (one of: {})", which.help, fmt::join(which.allowed, ", "));
  return "// " + which.help;
}

/// `"port": 8080`, as it stands below the comment.
std::string line_of(const setting& which) {
  const auto value = shown(settings{}, which);
  const bool text = std::holds_alternative<std::string settings::*>(which.field);
  const auto dot = which.name.find('.');
  const auto key = dot == std::string::npos ? which.name : which.name.substr(dot + 1);
  return fmt::format("\"{}\": {}", key, text ? nlohmann::json(value).dump() : value);
}

} // namespace

TEST_CASE("config/pulse.json names every setting with its use, range and default", "[settings]") {
  const auto file = source_file("config/pulse.json");
  const auto loaded = load(file);
  INFO((loaded.ok() ? std::string() : loaded.err().detail));
  REQUIRE(loaded.ok());
  for (const auto& which : all_settings()) {
    INFO(which.name);
    if (which.secret) {
      CHECK(loaded->origin.at(which.name) == "default");
      CHECK(file.find(which.environment() + "_FILE") != std::string::npos);
      continue;
    }
    CHECK(loaded->origin.at(which.name) == "file");
    CHECK(shown(loaded->values, which) == shown(settings{}, which));
    const auto at = file.find(comment_of(which) + "\n");
    INFO("wanted above it: " << comment_of(which));
    REQUIRE(at != std::string::npos);
    const auto below = file.find_first_not_of(" \n", at + comment_of(which).size());
    REQUIRE(below != std::string::npos);
    const auto wanted = line_of(which);
    CHECK(file.substr(below, wanted.size()) == wanted);
  }
}

TEST_CASE("defaults lie within what is allowed, and no two settings share a name", "[settings]") {
  std::map<std::string, int> seen;
  for (const auto& which : all_settings()) {
    INFO(which.name);
    CHECK(++seen[which.name] == 1);
    CHECK(++seen[which.environment()] == 1);
    CHECK(++seen[which.flag()] == 1);
    if (which.secret)
      continue;
    // A default that is given as a flag is taken.
    const auto value = shown(settings{}, which);
    const auto loaded = load("", {}, {{which.name, value}});
    REQUIRE(loaded.ok());
    CHECK(shown(loaded->values, which) == value);
  }
}

TEST_CASE("a setting has one name in three forms", "[settings]") {
  CHECK(named("http.port").environment() == "PULSE_HTTP_PORT");
  CHECK(named("http.port").flag() == "--http-port");
  CHECK(named("log.disk_free_min_mib").environment() == "PULSE_LOG_DISK_FREE_MIN_MIB");
  CHECK(named("log.disk_free_min_mib").flag() == "--log-disk-free-min-mib");
}

TEST_CASE("the file wins over the default, the environment over the file, a flag over both", "[settings]") {
  const std::string file = R"(// a comment
    {"http": {"port": 1}, "log": {"taps": "off"}, /* another */ "admin": {"host": "::1"}})";
  const texts environment = {{"PULSE_HTTP_PORT", "2"}};
  const auto by_file = load(file);
  REQUIRE(by_file.ok());
  CHECK(by_file->values.http_port == 1);
  CHECK(by_file->values.log_taps == "off");
  CHECK(by_file->values.admin_host == "::1");
  CHECK(by_file->values.admin_port == settings{}.admin_port);
  CHECK(by_file->origin.at("http.port") == "file");
  CHECK(by_file->origin.at("admin.port") == "default");
  const auto by_environment = load(file, environment);
  REQUIRE(by_environment.ok());
  CHECK(by_environment->values.http_port == 2);
  CHECK(by_environment->origin.at("http.port") == "PULSE_HTTP_PORT");
  const auto by_flag = load(file, environment, {{"http.port", "3"}});
  REQUIRE(by_flag.ok());
  CHECK(by_flag->values.http_port == 3);
  CHECK(by_flag->origin.at("http.port") == "--http-port");
}

TEST_CASE("every problem is told at once, with its place and what is allowed", "[settings]") {
  const auto found = problems_of(load(R"({"http": {"port": 65536}, "log": {"level": "loud", "taps": "maybe"},
                                          "horizon_days": 1.5, "tls": {"cert": "c.pem"}})",
                                      {{"PULSE_WORKER_THREADS", "0"}}, {{"slot.batch_events_max", "many"}}));
  CHECK(found.size() == 7);
  CHECK(tells(found, "http.port (file): '65536' is not a whole number from 0 to 65535"));
  CHECK(tells(found, "log.level (file): 'loud' is not one of debug, info, warning, error"));
  CHECK(tells(found, "log.taps (file): 'maybe' is not one of auto, on, off"));
  CHECK(tells(found, "horizon_days (file): '1.5' is not a whole number"));
  CHECK(tells(found, "worker_threads (PULSE_WORKER_THREADS): '0'"));
  CHECK(tells(found, "slot.batch_events_max (--slot-batch-events-max): 'many'"));
  CHECK(tells(found, "tls.cert, tls.key: both or neither"));
}

TEST_CASE("unknown keys and files that are no object are refused", "[settings]") {
  const auto found = problems_of(load(R"({"http": {"prot": 1}, "htpp": {"port": 1}, "x": null})"));
  CHECK(found.size() == 3);
  CHECK(tells(found, "http.prot: there is no such setting"));
  CHECK(tells(found, "htpp.port: there is no such setting"));
  CHECK(tells(found, "x: there is no such setting"));
  CHECK(tells(problems_of(load("[1]")), "the settings file is no JSON object"));
  CHECK(tells(problems_of(load("{\"http\": ")), "the settings file is no JSON object"));
}

TEST_CASE("a secret comes from the environment or a file of its own, and is shown as stars", "[settings]") {
  const auto& url = named("postgres_url");
  REQUIRE(url.secret);
  const auto refused = problems_of(load(R"({"postgres_url": "postgresql://u:hunter2@db/p"})"));
  CHECK(refused.size() == 1);
  CHECK(tells(refused, "postgres_url: a secret stands in PULSE_POSTGRES_URL"));
  CHECK(refused.front().find("hunter2") == std::string::npos);
  const auto given = load("", {{"PULSE_POSTGRES_URL", "postgresql://u:hunter2@db/p"}});
  REQUIRE(given.ok());
  CHECK(given->values.postgres_url == "postgresql://u:hunter2@db/p");
  CHECK(shown(given->values, url) == "***");
  CHECK(shown(settings{}, url).empty());
  const auto from_file = load("", {{"PULSE_POSTGRES_URL_FILE", "/run/db"}}, {}, {{"/run/db", "host=db\n"}});
  REQUIRE(from_file.ok());
  CHECK(from_file->values.postgres_url == "host=db");
  CHECK(from_file->origin.at("postgres_url") == "PULSE_POSTGRES_URL_FILE");
  CHECK(tells(problems_of(load("", {{"PULSE_POSTGRES_URL_FILE", "/run/none"}})),
              "postgres_url: /run/none cannot be read"));
}

TEST_CASE("Kafka as the log needs brokers, and its password is a secret", "[settings][f:2.5]") {
  CHECK(tells(problems_of(load("", {{"PULSE_EVENT_LOG", "kafka"}})), "kafka.brokers: event_log is kafka"));
  const auto given =
      load("", {{"PULSE_EVENT_LOG", "kafka"}, {"PULSE_KAFKA_BROKERS", "k:9092"}, {"PULSE_KAFKA_SLOTS", "9"}});
  REQUIRE(given.ok());
  CHECK(given->values.slots() == 9);
  CHECK(settings{}.slots() == settings{}.log_slots);
  CHECK(named("kafka.sasl_password").secret);
  CHECK(tells(problems_of(load(R"({"kafka": {"sasl_password": "hunter2"}})")),
              "kafka.sasl_password: a secret stands in"));
}

TEST_CASE("config/mapping_example.json can be published", "[settings][mapping][f:3.1]") {
  const auto document = source_file("config/mapping_example.json");
  for (const auto& problem : check_mapping(document))
    FAIL_CHECK(problem.pointer << ": " << problem.detail);
  CHECK(compiled_mapping::compile(document).ok());
}
