// mapping publish|check|rollback|list; model list|show|train|rollback: versions of a tenant on a running node.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>

#include "node/cli/verbs.hpp"
#include "node/files.hpp"

namespace pulse::cli {

namespace {

struct version_options : common_options {
  std::string tenant;
  std::string file;
  std::string id;
};

std::string own(const version_options& o, const std::string& path) {
  return "/admin/v1/tenants/" + tenant_number(o, o.tenant) + path;
}

/// A subcommand for one tenant's versions.
CLI::App* add(CLI::App& group, const std::shared_ptr<version_options>& o, const std::string& name,
              const std::string& help, const std::string& example) {
  auto* command = group.add_subcommand(name, help);
  command->add_option("--tenant", o->tenant, "number or name")->required();
  command->footer("example: pulse " + example);
  add_common(*command, *o);
  return command;
}

void add_list(CLI::App& group, const std::string& kind, const std::string& path) {
  auto o = std::make_shared<version_options>();
  add(group, o, "list", "versions, the newest first", kind + " list --tenant shop")->callback([o, kind, path] {
    const auto all = ask(*o, "GET", own(*o, path));
    show(*o, all, [&] {
      if (all.at("data").empty())
        fmt::print("no {} yet\n  next: pulse {} {} --tenant {}\n", kind, kind,
                   kind == "model" ? "train" : "publish FILE", o->tenant);
      for (const auto& v : all.at("data"))
        fmt::print("{:>4}  {:<64} {:<8} {}\n", v.at("version").dump(), v.value("id", ""), v.value("state", ""),
                   v.value("created_at", ""));
    });
  });
}

void add_rollback(CLI::App& group, const std::string& kind, const std::string& path) {
  auto o = std::make_shared<version_options>();
  add(group, o, "rollback", "put the version before the live one in force again", kind + " rollback --tenant shop")
      ->callback([o, kind, path] {
        const auto done = ask(*o, "POST", own(*o, path + "/rollback"), json::object());
        show(*o, done, [&] { fmt::print("{} {} is in force again\n", kind, done.value("id", "")); });
      });
}

void add_mapping(CLI::App& program) {
  auto* group = program.add_subcommand("mapping", "a tenant's mapping of its own names to PulseEcom's");
  group->require_subcommand(1);
  for (const auto& [verb, path, help] :
       {std::tuple<std::string, std::string, std::string>{"check", "/mappings/check", "say every problem of a mapping"},
        {"publish", "/mappings/publish", "store a mapping and put it in force"}}) {
    auto o = std::make_shared<version_options>();
    auto* command = add(*group, o, verb, help, "mapping " + verb + " --tenant shop mapping.json");
    command->add_option("file", o->file, "mapping document (JSON)")->required();
    command->callback([o, verb = verb, path = path] {
      const auto text = read_file(o->file);
      if (!text)
        fail({ec::not_found, o->file + " cannot be read", ""});
      const auto document = json::parse(*text, nullptr, false);
      if (document.is_discarded())
        fail({ec::malformed, o->file + " is no JSON", ""});
      const auto done = ask(*o, "POST", own(*o, path), document);
      show(*o, done, [&] {
        if (verb == "check")
          fmt::print("{} can be published\n", o->file);
        else
          fmt::print("version {} takes effect with the next events\n", done.at("version").dump());
      });
    });
  }
  add_list(*group, "mapping", "/mappings");
  add_rollback(*group, "mapping", "/mappings");
}

} // namespace

void add_tenant_model_verbs(CLI::App& model) {
  add_list(model, "model", "/models");
  add_rollback(model, "model", "/models");
  auto t = std::make_shared<version_options>();
  add(model, t, "train", "fit a model on the tenant's history and put it in force", "model train --tenant shop")
      ->callback([t] {
        const auto done = ask(*t, "POST", own(*t, "/models/train"), json::object());
        show(*t, done, [&] {
          fmt::print("model {} was fitted on {} events; it scores from here on\n", done.value("id", ""),
                     done.at("rows").dump());
        });
      });
  auto s = std::make_shared<version_options>();
  auto* one = add(model, s, "show", "one version with its card", "model show --tenant shop 1");
  one->add_option("id", s->id, "its version or id")->required();
  one->callback([s] {
    const auto found = ask(*s, "GET", own(*s, "/models/" + s->id));
    fmt::print("{}\n", s->as_json ? found.dump() : found.dump(2));
  });
}

void add_version_verbs(CLI::App& program) {
  add_mapping(program);
}

} // namespace pulse::cli
