#include "node/cli/verbs.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/format.h>

namespace pulse::cli {

void fail(const error& e) {
  fmt::print(stderr, "error: {}\n", e.detail);
  throw CLI::RuntimeError(1);
}

void add_common(CLI::App& command, common_options& options) {
  command.add_option("--data-dir", options.data_dir, "the node's data directory (PULSE_DATA_DIR)");
  command.add_flag("--json", options.as_json, "one JSON document on standard output");
}

json ask(const common_options& options, const std::string& method, const std::string& path, const json& body) {
  return ask_with(options, method, path, body.is_null() ? std::string() : body.dump());
}

json ask_with(const common_options& options, const std::string& method, const std::string& path,
              const std::string& body) {
  const auto node = client::for_data_dir(options.data_dir);
  if (!node)
    fail(node.err());
  auto answer = node->send(method, path, body);
  if (!answer)
    fail(answer.err());
  if (answer->failed()) {
    if (options.as_json)
      fmt::print("{}\n", (answer->body.is_object() ? answer->body : json{{"detail", answer->body}})
                             .dump(-1, ' ', false, json::error_handler_t::replace));
    fail({ec::invalid, problem_text(path, *answer), ""});
  }
  return std::move(answer->body);
}

std::string tenant_number(const common_options& options, const std::string& id_or_name) {
  return ask(options, "GET", "/admin/v1/tenants/" + id_or_name).value("id", "");
}

CLI::App* add_for_tenant(CLI::App& group, one_tenant_options& options, const std::string& name, const std::string& help,
                         const std::string& example) {
  auto* command = group.add_subcommand(name, help);
  command->add_option("--tenant", options.tenant, "number or name")->required();
  command->footer("example: pulse " + example);
  add_common(*command, options);
  return command;
}

std::string tenant_path(const one_tenant_options& options, const std::string& rest) {
  return "/admin/v1/tenants/" + tenant_number(options, options.tenant) + rest;
}

std::string text_of(const json& object, const char* name) {
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? "-" : it->is_string() ? it->get<std::string>() : it->dump();
}

void show(const common_options& options, const json& document, const std::function<void()>& text) {
  if (options.as_json)
    fmt::print("{}\n", document.dump());
  else
    text();
}

} // namespace pulse::cli
