// serve, migrate, config, version
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <unistd.h>

#include "node/cli/verbs.hpp"
#include "node/files.hpp"
#include "node/node.hpp"
#include "postgres/migrator.hpp"
#include "settings/settings.hpp"

namespace pulse::cli {

namespace {

struct serve_options {
  std::string config;
  std::map<std::string, std::string> flags;
  bool diff = false;
  bool as_json = false;
  bool drain = false;
};

loaded_settings load(const serve_options& o) {
  std::string text;
  if (!o.config.empty()) {
    auto found = read_file(o.config);
    if (!found)
      fail({ec::not_found, fmt::format("{} cannot be read", o.config), ""});
    text = *found;
  }
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    const char* v = std::getenv(name.c_str());
    return v == nullptr ? std::nullopt : std::optional<std::string>(v);
  };
  std::map<std::string, std::string> given;
  for (const auto& [name, value] : o.flags)
    if (!value.empty())
      given[name] = value;
  auto loaded = load_settings(text, environment, given, read_file);
  if (!loaded)
    fail({ec::invalid, "the settings are not usable:\n" + loaded.err().detail, ""});
  return *loaded;
}

/// Every setting as a flag, for the verbs that read settings.
void add_settings(CLI::App& command, serve_options& o) {
  command.add_option("--config", o.config, "settings file (JSON with comments)");
  for (const auto& which : all_settings())
    // A secret on a command line stands in every process list.
    if (!which.secret)
      command.add_option(which.flag(), o.flags[which.name], which.help + " (" + which.environment() + ")");
}

void add_serve(CLI::App& program) {
  auto o = std::make_shared<serve_options>();
  auto* serve = program.add_subcommand("serve", "run a node until SIGTERM");
  add_settings(*serve, *o);
  serve->footer("example: PULSE_POSTGRES_URL=postgresql://pulse@db/pulse pulse serve --http-port 8080");
  serve->callback([o] {
    block_signals();
    auto running = node::start(load(*o));
    if (!running)
      fail(running.err());
    fmt::print("{}\n", (*running)->ready_line());
    std::fflush(stdout);
    const int status = (*running)->wait();
    (*running)->drain();
    running->reset();
    if (status != 0)
      throw CLI::RuntimeError(status);
  });
}

void add_migrate_log(CLI::App& migrate) {
  auto o = std::make_shared<serve_options>();
  auto* verb = migrate.add_subcommand("log", "leave the embedded log for Kafka; no node serves meanwhile");
  add_settings(*verb, *o);
  verb->add_flag("--drain", o->drain, "store what is left in the embedded log first");
  verb->add_flag("--json", o->as_json, "one JSON document on standard output");
  verb->footer("example: PULSE_POSTGRES_URL=postgresql://pulse@db/pulse PULSE_KAFKA_BROKERS=kafka:9092 pulse migrate "
               "log --data-dir /var/lib/pulse\n"
               "Refuses while the embedded log has records that are not stored yet, and says which slots. Topics are "
               "made as kafka.* says. Every tenant keeps its history and its scores; afterwards serve with "
               "PULSE_EVENT_LOG=kafka. Run again, it changes nothing.");
  verb->callback([o] {
    const bool shows = isatty(STDERR_FILENO) != 0;
    const auto moved = node::migrate_log(load(*o), o->drain, [shows](const std::string& line) {
      if (shows)
        fmt::print(stderr, "\r  {}  ", line);
    });
    if (shows)
      fmt::print(stderr, "\n");
    if (!moved)
      fail(moved.err());
    const auto& m = moved->done;
    if (o->as_json)
      fmt::print("{}\n", json{{"migrated", !moved->earlier},
                              {"from", m.from.value},
                              {"to", m.to.value},
                              {"at", m.at},
                              {"tenants", m.tenants},
                              {"images", m.images}}
                             .dump());
    else
      fmt::print("{} generation {} went on as {} on Kafka: {} tenants, {} pieces of state\n"
                 "  next: serve with PULSE_EVENT_LOG=kafka\n",
                 moved->earlier ? fmt::format("nothing to do: at {}", m.at) : std::string("done:"), m.from.value,
                 m.to.value, m.tenants, m.images);
  });
}

void add_migrate(CLI::App& program) {
  auto o = std::make_shared<serve_options>();
  auto* migrate = program.add_subcommand("migrate", "bring the database to this program's schema");
  add_settings(*migrate, *o);
  migrate->footer("example: PULSE_POSTGRES_URL=postgresql://pulse@db/pulse pulse migrate");
  migrate->callback([o, migrate] {
    if (!migrate->get_subcommands().empty())
      return;
    const auto s = load(*o);
    auto done = postgres::migrate(s.values.postgres_url, static_cast<int>(s.values.horizon_days),
                                  [](const std::string& file) { fmt::print(stderr, "applied {}\n", file); });
    if (!done)
      fail(done.err());
    fmt::print("{} migrations applied\n", *done);
  });
  add_migrate_log(*migrate);
}

void add_rebuild(CLI::App& program) {
  auto o = std::make_shared<serve_options>();
  auto* verb = program.add_subcommand("rebuild", "read the whole log into a database without event data, and end");
  add_settings(*verb, *o);
  verb->add_flag("--json", o->as_json, "one JSON document on standard output");
  verb->footer(
      "example: PULSE_POSTGRES_URL=postgresql://pulse@db/restored pulse rebuild --event-log kafka\n"
      "The database: restored with tenants, keys, endpoints and versions. Raw has to reach back to its beginning "
      "(kafka.trim off). No node serves meanwhile; nobody is told anything again.");
  verb->callback([o] {
    const bool shows = isatty(STDERR_FILENO) != 0;
    const auto done = node::rebuild(load(*o), [shows](std::int64_t read, std::int64_t all) {
      if (shows)
        fmt::print(stderr, "\r  {} of {} records  ", read, all);
    });
    if (!done)
      fail(done.err());
    if (o->as_json)
      fmt::print("{}\n", json{{"records", done->raw},
                              {"stored", done->stored},
                              {"duplicates", done->duplicates},
                              {"failed", done->failed}}
                             .dump());
    else
      fmt::print("{} records read: {} events stored, {} duplicates, {} failed\n", done->raw, done->stored,
                 done->duplicates, done->failed);
  });
}

void add_config(CLI::App& program) {
  auto* group = program.add_subcommand("config", "settings");
  group->require_subcommand(1);
  auto c = std::make_shared<serve_options>();
  auto* check = group->add_subcommand("check", "say every problem of a settings file");
  check->add_option("file", c->config, "settings file")->required();
  check->footer("example: pulse config check config/pulse.json");
  check->callback([c] {
    (void)load(*c);
    fmt::print("{} is usable\n", c->config);
  });
  auto s = std::make_shared<serve_options>();
  auto* show_all = group->add_subcommand("show", "the settings in force here, and where each comes from");
  add_settings(*show_all, *s);
  show_all->add_flag("--diff", s->diff, "only what is not the default");
  show_all->add_flag("--json", s->as_json, "one JSON document on standard output");
  show_all->footer("example: pulse config show --diff");
  show_all->callback([s] {
    const auto loaded = load(*s);
    json out = json::object();
    for (const auto& which : all_settings()) {
      const auto& origin = loaded.origin.at(which.name);
      if (s->diff && origin == "default")
        continue;
      out[which.name] = {{"value", shown(loaded.values, which)}, {"from", origin}};
      if (!s->as_json)
        fmt::print("{:<26} {:<30} {}\n", which.name, shown(loaded.values, which), origin);
    }
    if (s->as_json)
      fmt::print("{}\n", out.dump());
  });
}

} // namespace

void add_serve_verbs(CLI::App& program) {
  add_serve(program);
  add_migrate(program);
  add_rebuild(program);
  add_config(program);
  auto* version = program.add_subcommand("version", "print the version");
  auto as_json = std::make_shared<bool>(false);
  version->add_flag("--json", *as_json, "one JSON document on standard output");
  version->footer("example: pulse version");
  version->callback([as_json] {
    if (*as_json)
      fmt::print("{}\n", json{{"version", PULSE_VERSION}}.dump());
    else
      fmt::print("pulse {}\n", PULSE_VERSION);
  });
}

} // namespace pulse::cli
