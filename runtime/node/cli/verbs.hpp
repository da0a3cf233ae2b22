// The verbs of `pulse`, a group each. Each adds its commands below the program; their callbacks end in
// CLI::RuntimeError(1) when the work fails. Wrong use is CLI11's own ParseError, which ends in 2.
#pragma once

#include <functional>
#include <string>

#include "node/cli/client.hpp"

namespace CLI {
class App;
} // namespace CLI

namespace pulse::cli {

/// Options that every verb knows.
struct common_options {
  std::string data_dir = default_data_dir();
  bool as_json = false;
};

/// Of a verb that works on one tenant.
struct one_tenant_options : common_options {
  /// Its number or name.
  std::string tenant;
};

/// Prints the error with what to do to standard error and ends the verb with 1.
[[noreturn]] void fail(const error& e);

/// Adds --data-dir and --json; call it for each leaf command.
void add_common(CLI::App& command, common_options& options);

/// Asks the node; ends the verb when it cannot. A problem that the node answers is told with every place; with --json
/// the problem itself is the document on standard output.
json ask(const common_options& options, const std::string& method, const std::string& path, const json& body = nullptr);

/// The same with a body that goes as it is.
json ask_with(const common_options& options, const std::string& method, const std::string& path,
              const std::string& body);

/// A tenant's number for its number or name.
std::string tenant_number(const common_options& options, const std::string& id_or_name);

/// A subcommand with --tenant and the common options; `example` without `pulse`. The options outlive it.
CLI::App* add_for_tenant(CLI::App& group, one_tenant_options& options, const std::string& name, const std::string& help,
                         const std::string& example);

/// The admin route of the tenant's, which the node is asked for.
std::string tenant_path(const one_tenant_options& options, const std::string& rest);

/// A member for people: `-` where there is none.
std::string text_of(const json& object, const char* name);

/// Prints `document` with --json, else what `text` prints.
void show(const common_options& options, const json& document, const std::function<void()>& text);

void add_serve_verbs(CLI::App& program);
void add_tenant_verbs(CLI::App& program);
void add_event_verbs(CLI::App& program);
void add_version_verbs(CLI::App& program);
/// Below `model`, beside fit and score.
void add_tenant_model_verbs(CLI::App& model);
void add_alert_verbs(CLI::App& program);
void add_backtest_verb(CLI::App& program);
void add_source_verbs(CLI::App& program);

} // namespace pulse::cli
