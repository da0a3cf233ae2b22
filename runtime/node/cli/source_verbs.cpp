// source
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>

#include "node/cli/verbs.hpp"
#include "node/files.hpp"

namespace pulse::cli {

namespace {

struct source_options : one_tenant_options {
  std::string source;
  std::vector<std::string> brokers;
  std::string topic;
  std::string protocol = "ssl";
  std::string mechanism = "SCRAM-SHA-512";
  std::string user;
  std::string password_file;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string mapping_file;
  std::string start = "earliest";
  std::string description;
};

std::string path_of(const source_options& o, const std::string& rest = "") {
  return tenant_path(o, "/sources" + rest);
}

std::string content(const std::string& path, bool one_line = false) {
  auto text = read_file(path);
  if (!text)
    fail({ec::not_found, fmt::format("{} cannot be read", path), ""});
  while (one_line && !text->empty() && (text->back() == '\n' || text->back() == '\r'))
    text->pop_back();
  return *text;
}

void print_line(const json& s) {
  const auto& status = s.at("status");
  fmt::print("{}  {:<8} lag {:<8} {}  {}{}\n", text_of(s, "id"), text_of(status, "state"), text_of(s, "lag"),
             text_of(s, "topic"), status.at("code").is_null() ? "" : text_of(status, "code") + ": ",
             status.at("detail").is_null() ? "" : text_of(status, "detail"));
}

void add_create(CLI::App& group) {
  auto o = std::make_shared<source_options>();
  auto* create = add_for_tenant(group, *o, "create", "a Kafka topic of the tenant's own that is read as its events",
                                "source create --tenant shop --brokers kafka.shop.example:9093 --topic orders "
                                "--protocol sasl_ssl --user pulse --password-file secret.txt --mapping map.json");
  create->add_option("--brokers", o->brokers, "host:port, comma separated")->required()->delimiter(',');
  create->add_option("--topic", o->topic, "its name")->required();
  create->add_option("--protocol", o->protocol, "plaintext, ssl, sasl_plaintext, sasl_ssl");
  create->add_option("--mechanism", o->mechanism, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512");
  create->add_option("--user", o->user, "user name for SASL");
  create->add_option("--password-file", o->password_file, "file with its password (a flag stands in process lists)");
  create->add_option("--ca", o->ca_file, "PEM file of the authority of the brokers' certificates");
  create->add_option("--cert", o->cert_file, "PEM file of a client certificate");
  create->add_option("--key", o->key_file, "PEM file of its key");
  create->add_option("--mapping", o->mapping_file, "JSON file: where an event's members are in a record");
  create->add_option("--start", o->start, "earliest or latest");
  create->add_option("--description", o->description, "for people");
  create->callback([o] {
    json security = {{"protocol", o->protocol}};
    if (o->protocol.starts_with("sasl"))
      security.update({{"mechanism", o->mechanism}, {"user", o->user}});
    for (const auto& [name, path, one_line] : {std::tuple{"password", &o->password_file, true},
                                               {"ca", &o->ca_file, false},
                                               {"cert", &o->cert_file, false},
                                               {"key", &o->key_file, false}})
      if (!path->empty())
        security[name] = content(*path, one_line);
    json body = {{"kind", "kafka"},      {"brokers", o->brokers}, {"topic", o->topic},
                 {"security", security}, {"start", o->start},     {"description", o->description}};
    if (!o->mapping_file.empty()) {
      body["mapping"] = json::parse(content(o->mapping_file), nullptr, false);
      if (body["mapping"].is_discarded())
        fail({ec::malformed, fmt::format("{} is no JSON", o->mapping_file), ""});
    }
    const auto made = ask(*o, "POST", path_of(*o), body);
    show(*o, made, [&] {
      fmt::print("source {} is made\n  next: pulse source show --tenant {} {}\n", text_of(made, "id"), o->tenant,
                 text_of(made, "id"));
    });
  });
}

/// A verb about one source: `act` asks, and its answer is shown.
void add_one(CLI::App& group, const char* name, const char* help,
             const std::function<json(const source_options&, const std::string&)>& act) {
  auto o = std::make_shared<source_options>();
  const auto example = fmt::format("source {} --tenant shop 0190…", name);
  auto* command = add_for_tenant(group, *o, name, help, example);
  command->add_option("source", o->source, "its id, as in source list")->required();
  command->callback([o, act, n = std::string(name)] {
    const auto answer = act(*o, path_of(*o, "/" + o->source));
    show(*o, answer, [&] {
      if (!answer.is_object() || !answer.contains("status")) {
        fmt::print("{}: done\n", n);
        return;
      }
      print_line(answer);
      for (const auto& p : answer.at("positions"))
        fmt::print("  partition {:<4} next {:<10} end {:<10} lag {}\n", text_of(p, "partition"),
                   text_of(p, "next_offset"), text_of(p, "end_offset"), text_of(p, "lag"));
    });
  });
}

} // namespace

void add_source_verbs(CLI::App& program) {
  auto* group = program.add_subcommand("source", "Kafka topics of tenants' own that are read as their events");
  group->require_subcommand(1);
  add_create(*group);
  auto o = std::make_shared<source_options>();
  add_for_tenant(*group, *o, "list", "a tenant's sources, their state and lag", "source list --tenant shop")
      ->callback([o] {
        const auto all = ask(*o, "GET", path_of(*o));
        show(*o, all, [&] {
          if (all.at("data").empty())
            fmt::print("no sources yet\n  next: pulse source create --help\n");
          for (const auto& s : all.at("data"))
            print_line(s);
        });
      });
  add_one(*group, "show", "state, positions and lag of one",
          [](const source_options& with, const std::string& path) { return ask(with, "GET", path); });
  add_one(*group, "pause", "it is not read any more until resume",
          [](const source_options& with, const std::string& path) {
            return ask(with, "PATCH", path, json{{"paused", true}});
          });
  add_one(*group, "resume", "it is read again from where it was paused",
          [](const source_options& with, const std::string& path) {
            return ask(with, "PATCH", path, json{{"paused", false}});
          });
  add_one(*group, "delete", "it and its positions are forgotten; its events stay",
          [](const source_options& with, const std::string& path) { return ask(with, "DELETE", path); });
}

} // namespace pulse::cli
