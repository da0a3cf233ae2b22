// mapping|rules|lists|detectors check|dry-run|publish|list|rollback; model
// list|show|train|check|promote|shadow|rollback: versions of a tenant on a running node.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>

#include "node/cli/verbs.hpp"
#include "node/files.hpp"

namespace pulse::cli {

namespace {

struct version_options : one_tenant_options {
  std::string file;
  std::string id;
};

void add_list(CLI::App& group, const std::string& kind, const std::string& path) {
  auto o = std::make_shared<version_options>();
  add_for_tenant(group, *o, "list", "versions, the newest first", kind + " list --tenant shop")
      ->callback([o, kind, path] {
        const auto all = ask(*o, "GET", tenant_path(*o, path));
        show(*o, all, [&] {
          if (all.at("data").empty())
            fmt::print("no {} yet\n  next: pulse {} {} --tenant {}{}\n", kind, kind,
                       kind == "model" ? "train" : "publish FILE", o->tenant,
                       kind == "model" ? ", from 500 events on; by then it is done by itself" : "");
          for (const auto& v : all.at("data"))
            fmt::print("{:>4}  {:<64} {:<8} {:<8} {}\n", v.at("version").dump(), v.value("id", ""),
                       v.value("state", ""), v.value("kind", ""), v.value("created_at", ""));
        });
      });
}

void add_rollback(CLI::App& group, const std::string& kind, const std::string& path) {
  auto o = std::make_shared<version_options>();
  add_for_tenant(group, *o, "rollback", "put the version before the live one in force again",
                 kind + " rollback --tenant shop")
      ->callback([o, kind, path] {
        const auto done = ask(*o, "POST", tenant_path(*o, path + "/rollback"), json::object());
        show(*o, done, [&] { fmt::print("{} {} is in force again\n", kind, done.value("id", "")); });
      });
}

/// A kind of version that tenants write themselves.
struct document_group {
  std::string kind;
  std::string path;
  std::string help;
  bool dry_run = false;
  std::string effect = "with the next events";
};

/// As it is: the node says what is wrong with it, and where.
std::string read_document(const std::string& file) {
  auto text = read_file(file);
  if (!text)
    fail({ec::not_found, file + " cannot be read", ""});
  if (text->find_first_not_of(" \t\r\n") == std::string::npos)
    fail({ec::malformed, file + " is empty", ""});
  return std::move(*text);
}

void show_incidents(const json& done) {
  for (const auto& i : done.at("data"))
    fmt::print("{}  {:<8}  {:>5.1f}  {}\n", i.value("from", "").substr(0, 16), i.value("severity", ""),
               i.value("strength", 0.0), i.value("title", ""));
  fmt::print("{} incidents in {} hours, {} more held by the budget of {} a week\n", done.at("data").size(),
             done.at("hours").dump(), done.at("held").dump(), done.at("per_week").dump());
  if (done.contains("hint"))
    fmt::print("  next: {}\n", done.value("hint", ""));
}

void show_done(const document_group& g, const std::string& verb, const std::string& file, const json& done) {
  for (const auto& w : done.value("warnings", json::array()))
    fmt::print(stderr, "warning: {}: {}: {}\n", w.value("pointer", ""), w.value("code", ""), w.value("detail", ""));
  if (verb == "check")
    fmt::print("{} can be published\n", file);
  else if (verb == "publish")
    fmt::print("version {} takes effect {}\n", text_of(done, done.contains("version") ? "version" : "from_version"),
               g.effect);
  else if (done.contains("events"))
    fmt::print("{} events, {} would change\n{}\n", done.at("events").dump(), done.at("changed").dump(), done.dump(2));
  else
    show_incidents(done);
}

void add_documents(CLI::App& program, const document_group& g) {
  auto* group = program.add_subcommand(g.kind, g.help);
  group->require_subcommand(1);
  for (const auto& [verb, help] : {std::pair<std::string, std::string>{"check", "say every problem of a document"},
                                   {"dry-run", "say what it would change in what is stored; keeps nothing"},
                                   {"publish", "store a document and put it in force"}}) {
    if (verb == "dry-run" && !g.dry_run)
      continue;
    auto o = std::make_shared<version_options>();
    auto* command = add_for_tenant(*group, *o, verb, help, fmt::format("{0} {1} --tenant shop {0}.json", g.kind, verb));
    command->add_option("file", o->file, "document (JSON)")->required();
    command->callback([o, g, verb = verb] {
      const auto document = read_document(o->file);
      const auto done = ask_with(*o, "POST", tenant_path(*o, g.path + "/" + verb), document);
      show(*o, done, [&] { show_done(g, verb, o->file, done); });
    });
  }
  add_list(*group, g.kind, g.path);
  add_rollback(*group, g.kind, g.path);
}

void add_promote(CLI::App& model) {
  auto o = std::make_shared<version_options>();
  auto force = std::make_shared<bool>(false);
  auto* promote =
      add_for_tenant(model, *o, "promote", "put a stored model in force", "model promote --tenant shop 5c1f…");
  promote->add_option("id", o->id, "its id, or the version of an anomaly model")->required();
  promote->add_flag("--force", *force, "also one that lost its comparison with the model in force");
  promote->callback([o, force] {
    const auto done = ask(*o, "POST", tenant_path(*o, "/models/" + o->id + "/promote" + (*force ? "?force=true" : "")),
                          json::object());
    show(*o, done, [&] { fmt::print("model {} scores from the next events on\n", done.value("id", "")); });
  });
}

void add_shadow(CLI::App& model) {
  auto o = std::make_shared<version_options>();
  auto* shadow =
      add_for_tenant(model, *o, "shadow", "have a stored model score beside the one in force, deciding nothing",
                     "model shadow --tenant shop 5c1f…");
  shadow->add_option("id", o->id, "its id, or the version of an anomaly model")->required();
  shadow->callback([o] {
    const auto done = ask(*o, "POST", tenant_path(*o, "/models/" + o->id + "/shadow"), json::object());
    show(*o, done, [&] { fmt::print("model {} scores in shadow from the next events on\n", done.value("id", "")); });
  });
}

void add_check(CLI::App& model) {
  auto o = std::make_shared<version_options>();
  add_for_tenant(model, *o, "check", "say whether events have changed since the model was fitted",
                 "model check --tenant shop")
      ->callback([o] {
        const auto done = ask(*o, "POST", tenant_path(*o, "/models/check"), json::object());
        show(*o, done, [&] {
          fmt::print("{} events since then; ", done.at("rows").dump());
          if (done.at("drifted").empty())
            fmt::print("nothing has changed\n");
          else
            fmt::print("changed: {}\n  next: pulse model train --tenant {}\n", done.at("drifted").dump(), o->tenant);
        });
      });
}

} // namespace

void add_tenant_model_verbs(CLI::App& model) {
  add_list(model, "model", "/models");
  add_rollback(model, "model", "/models");
  add_promote(model);
  add_shadow(model);
  add_check(model);
  auto t = std::make_shared<version_options>();
  add_for_tenant(model, *t, "train", "fit a model on the tenant's history and put it in force",
                 "model train --tenant shop")
      ->callback([t] {
        const auto done = ask(*t, "POST", tenant_path(*t, "/models/train"), json::object());
        show(*t, done, [&] {
          fmt::print("model {} was fitted on {} events; it scores from here on\nfraud model: {}\n",
                     done.value("id", ""), done.at("rows").dump(), done.at("fraud").value("why", ""));
        });
      });
  auto s = std::make_shared<version_options>();
  auto* one = add_for_tenant(model, *s, "show", "one version with its card", "model show --tenant shop 1");
  one->add_option("id", s->id, "its version or id")->required();
  one->callback([s] {
    const auto found = ask(*s, "GET", tenant_path(*s, "/models/" + s->id));
    fmt::print("{}\n", s->as_json ? found.dump() : found.dump(2));
  });
}

void add_version_verbs(CLI::App& program) {
  add_documents(program, {"mapping", "/mappings", "a tenant's mapping of its own names to PulseEcom's", true});
  add_documents(program, {"rules", "/rules", "a tenant's rules: points and outcomes of its own", true});
  add_documents(program, {"lists", "/lists", "lists that a tenant's rules look into", false});
  add_documents(program, {"detectors", "/detectors", "what the watch over a tenant's metrics minds", true,
                          "with the next hour that is watched"});
}

} // namespace pulse::cli
